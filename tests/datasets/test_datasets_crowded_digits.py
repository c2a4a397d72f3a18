import keras
import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_datasets")
pytest.importorskip("sklearn")

import keras_lap
from keras_lap.datasets import (
    CrowdedDigits,
    SizedConfig,
    load,
    with_knowledge,
)
from keras_lap.datasets.crowded_digits import render_example
from keras_lap.datasets.drawn import crowd as drawn_crowd
from keras_lap.datasets.drawn.handwriting import digits_of
from keras_lap.datasets.drawn.placement import place_over
from keras_lap.datasets.drawn.strokes import halve
from keras_lap.losses import (
    BoxSupervision,
    ConceptLabels,
    MaskSupervision,
)


@pytest.fixture(scope="module")
def examples():
    return [render_example("train", index) for index in range(120)]


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    builder = CrowdedDigits(
        config=SizedConfig(name="tiny", train=4, validation=1, test=2),
        data_dir=str(tmp_path_factory.mktemp("crowd")),
    )
    builder.download_and_prepare()
    return builder


# What is drawn


def test_two_to_five_digits_of_every_class(examples):
    labels = np.array([example["labels"] for example in examples])
    assert set(labels.ravel()) == {0, 1}
    assert set(labels.sum(axis=1)) == {2, 3, 4, 5}
    np.testing.assert_allclose(labels.mean(axis=0), 0.35, atol=0.13)


def test_masks_show_the_digits_that_are_there(examples):
    for example in examples:
        np.testing.assert_array_equal(
            example["masks"].any(axis=(0, 1)), example["labels"]
        )
        assert example["masks"].sum(axis=2).max() == 1


def test_boxes_bound_the_masks(examples):
    for example in examples:
        present = np.flatnonzero(example["labels"])
        padding = [-1] * (5 - len(present))
        assert example["box_concepts"].tolist() == [*present, *padding]
        for concept, box in zip(example["box_concepts"], example["boxes"], strict=True):
            if concept < 0:
                np.testing.assert_array_equal(box, -1)
                continue
            rows, columns = np.nonzero(example["masks"][..., concept])
            edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
            np.testing.assert_array_equal(box * 64, edges)


def test_a_digit_has_one_colour(examples):
    for example in examples[:20]:
        for label in np.flatnonzero(example["labels"]):
            ink = example["image"][example["masks"][..., label] > 0]
            _, counts = np.unique(ink, axis=0, return_counts=True)
            assert counts.max() > 0.3 * len(ink)


@pytest.fixture
def calls_of(monkeypatch):
    """Records the arguments of the calls of a function of that module in a list."""

    def record(name):
        calls, function = [], getattr(drawn_crowd, name)

        def spy(*args):
            calls.append(args)
            return function(*args)

        monkeypatch.setattr(drawn_crowd, name, spy)
        return calls

    return record


def test_masks_are_what_was_painted_and_little_of_it_is_hidden(calls_of):
    painted = calls_of("_paint_rimmed")
    hidden_shares = []
    for index in range(40):
        painted.clear()
        example = render_example("test", index)
        present = example["labels"] > 0
        covered, visible = np.zeros((64, 64), bool), set()
        for _, opacity, (top, left), _ in painted[-present.sum() :][::-1]:
            ink = np.zeros((64, 64), bool)
            height, width = opacity.shape
            ink[top : top + height, left : left + width] = opacity > 0.5
            assert ink.sum() == (opacity > 0.5).sum()
            visible.add((ink & ~covered).tobytes())
            hidden_shares.append((ink & covered).sum() / ink.sum())
            covered |= ink
        masks = example["masks"].astype(bool)[..., present]
        assert visible == {mask.tobytes() for mask in np.moveaxis(masks, -1, 0)}
    assert 0.05 < max(hidden_shares) <= 0.2


def test_halves_are_of_absent_digits(calls_of):
    halved = calls_of("halve")
    digits = digits_of("test")
    for seed in range(30):
        halved.clear()
        crowd = drawn_crowd.draw_crowd(np.random.default_rng(seed), digits)
        present = np.flatnonzero(crowd.samples >= 0)
        assert 1 <= len(halved) <= 2
        for _, strokes in halved:
            same = (digits.strokes == strokes).all(axis=(1, 2))
            assert not np.isin(digits.labels[same], [1, *present]).any()


def test_samples_are_of_their_classes():
    digits = digits_of("validation")
    crowd = drawn_crowd.draw_crowd(np.random.default_rng(0), digits)
    present = np.flatnonzero(crowd.samples >= 0)
    np.testing.assert_array_equal(digits.labels[crowd.samples[present]], present)


def test_halve():
    strokes = np.arange(1.0, 65).reshape(8, 8)
    kept = {
        tuple(np.flatnonzero(halve(np.random.default_rng(seed), strokes).any(axis=1)))
        for seed in range(8)
    }
    assert kept == {(0, 1, 2, 3), (4, 5, 6, 7)}


def test_places_over_others_are_those_that_meet_few_pixels():
    rng = np.random.default_rng(0)
    planes = rng.random((2, 9, 9)) < 0.4
    stamp = np.array([[True, False, True], [True, True, True]])
    allowed = np.array([1, 2])
    right = {
        (top, left)
        for top in range(8)
        for left in range(7)
        if all(
            (plane[top : top + 2, left : left + 3] & stamp).sum() <= most
            for plane, most in zip(planes, allowed, strict=True)
        )
    }
    assert 0 < len(right) < 56
    found = {place_over(rng, stamp, planes, allowed) for _ in range(40 * len(right))}
    assert found == right
    assert place_over(rng, stamp, np.ones((1, 9, 9), bool), np.array([4])) is None


# What is stored


def test_targets(builder):
    ((image, targets),) = builder.as_dataset(split="validation").map(
        with_knowledge("crowded_digits")
    )
    rendered = render_example("validation", 0)
    np.testing.assert_array_equal(image, rendered["image"])
    for key, value in {
        "label": rendered["labels"],
        "concepts": rendered["labels"],
        "mask": rendered["masks"],
        "boxes": rendered["boxes"],
        "box_concepts": rendered["box_concepts"],
    }.items():
        np.testing.assert_array_equal(targets.pop(key), value, err_msg=key)
    assert not targets


@pytest.mark.usefixtures("eager")
def test_training_on_it(builder):
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Rescaling(1 / 255),
            keras_lap.GlobalLAPooling2D(concepts=10),
            keras.layers.Dense(10, activation="sigmoid"),
        ]
    )
    model.compile("sgd", "binary_crossentropy")
    losses = [MaskSupervision(), BoxSupervision(), ConceptLabels()]
    knowledge = keras_lap.callbacks.KnowledgeInjection(losses)
    shift = keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant")
    batches = load(builder, image_size=(32, 32), batch_size=2, layers=[shift])
    history = model.fit(batches, verbose=0, callbacks=[knowledge]).history
    for loss in losses:
        assert 0 < history[loss.name][0] < np.inf


# Errors


def test_bad_examples():
    with pytest.raises(ValueError, match=r"`split` to be one of .*='tset'"):
        render_example("tset", 0)
    with pytest.raises(ValueError, match=r"at least 0\. Received: index=-1"):
        render_example("train", -1)


@pytest.mark.parametrize("count", [0, 2.5, "many", True])
def test_bad_counts(count):
    with pytest.raises(ValueError, match="`test` to be a positive integer"):
        SizedConfig(name="bad", test=count)
