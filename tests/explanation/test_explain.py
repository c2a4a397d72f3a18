import warnings
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from lap_models import constant_model, maps_of, small_lap_model

from keras_lap import GlobalLAPooling2D, LAPooling2D
from keras_lap.explanation import explain
from keras_lap.layers import score_tape
from keras_lap.utils import progress


def test_batches_and_tensors_give_the_same_maps(rng):
    model, images = small_lap_model(), rng.random((5, 16, 16, 3), "float32")
    maps = maps_of(model, images)
    np.testing.assert_allclose(maps_of(model, images, batch_size=2), maps, rtol=1e-6)
    np.testing.assert_array_equal(maps_of(model, tf.constant(images)), maps)
    np.testing.assert_array_equal(maps_of(model, images, concepts=[1]), maps[..., 1:2])


def test_one_forward_pass_per_batch(rng):
    model, passes = small_lap_model(), []
    deep = model.get_layer("deep")
    call = deep.call
    deep.call = lambda inputs, training: passes.append(training) or call(inputs)
    maps_of(model, rng.random((5, 16, 16, 3)), batch_size=2)
    assert passes == [False] * 3


@pytest.mark.parametrize(
    "options, message",
    [
        ({"layers": ["lap_9"]}, r"Did you mean \['lap_2', 'lap_1', 'lap_0'\]"),
        ({"layers": ["lap_0", "x"]}, r"Received: 'x'. The names are \['lap_0'"),
        ({"layers": []}, "non-empty list of names"),
        ({"layers": ["lap_0", "lap_1"], "combine": "layer"}, "one layer with combine"),
        ({"combine": "sum"}, "Received: combine='sum'"),
        ({"concepts": [1]}, "from 0 to 0"),
        ({"concepts": [-1]}, "from 0 to 0"),
        ({"concepts": []}, "non-empty list of names, or indices"),
        ({"concepts": 0}, "Received: concepts=0"),
        ({"batch_size": 0}, "Received: batch_size=0"),
        ({"batch_size": 1.5}, "Received: batch_size=1.5"),
    ],
)
def test_arguments_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        explain(constant_model(0.9, 0.5, 0.2), np.ones((1, 8, 6, 3)), **options)


@pytest.mark.parametrize(
    "shape, message",
    [
        ((8, 6, 3), r"rank 4.*shape=\(8, 6, 3\).*images\[None\]"),
        ((5, 8, 6), r"grey images \(N, H, W\).*`images\[..., None\]`"),
        ((0, 8, 6, 3), "Expected images. Received: none"),
        ((1, 6, 8, 3), r"\('N', 8, 6, 3\).*Received: images.shape=\(1, 6, 8, 3\)"),
        ((1, 8, 6, 1), r"\('N', 8, 6, 3\).*np.repeat\(images, 3, axis=-1\)"),
    ],
)
def test_images_that_do_not_fit(shape, message):
    with pytest.raises(ValueError, match=message):
        explain(constant_model(0.5), np.ones(shape))


@pytest.mark.parametrize("files", [["a", "b"], []])
def test_files_of_a_data_set_that_are_not_as_many_as_its_images(files, rng):
    dataset = tf.data.Dataset.from_tensor_slices(rng.random((3, 16, 16, 3))).batch(2)
    dataset.files = files
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        explanation = explain(small_lap_model(), dataset)
    assert explanation.files is None
    assert ["2 `files`, but 3 images" in str(one.message) for one in told] == (
        [True] if files else []
    )


def test_colours_for_a_grey_network():
    model = keras.Sequential(
        [keras.Input((8, 6, 1)), GlobalLAPooling2D(), layers.Dense(2)]
    )
    with pytest.raises(ValueError, match="rgb_to_grayscale"):
        explain(model, np.ones((1, 8, 6, 3)))


def test_images_that_are_not_finite():
    images = np.ones((3, 8, 6, 3))
    images[1, 2, 3, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 3 images of a batch: 1, counted"):
        explain(constant_model(0.5), images)


def test_predictions_that_are_nan():
    images = np.ones((3, 8, 6, 3))
    images[1:] = 1e30
    model = keras.Sequential(
        [
            keras.Input((8, 6, 3)),
            GlobalLAPooling2D(),
            layers.Rescaling(1e30),
            layers.Rescaling(0.0),
        ]
    )
    with pytest.warns(UserWarning, match="2 of 3 predictions of the model are NaN"):
        explain(model, images, batch_size=1)


def test_models_that_do_not_fit():
    images = np.ones((1, 8, 6, 3))
    with pytest.raises(TypeError, match=r"keras.Model"):
        explain(LAPooling2D(2), images)
    plain = keras.Sequential([keras.Input((8, 6, 3)), layers.ReLU()], name="plain")
    with pytest.raises(ValueError, match=r"'plain' to have a LAP.*Received: no LAP"):
        explain(plain, images)
    inputs = [keras.Input((8, 6, 3)), keras.Input((8, 6, 3))]
    model = keras.Model(inputs, LAPooling2D(2)(layers.add(inputs)))
    with pytest.raises(ValueError, match=r"2 inputs of shapes.*Wrap it"):
        explain(model, images)
    mixed = constant_model(0.5, 0.5, concepts=[2, 3])
    with pytest.raises(ValueError, match=r"'lap_0' with 2 concepts.*`layers`"):
        explain(mixed, images)
    assert maps_of(mixed, images, layers=["lap_0"]).shape == (1, 8, 6, 2)


# What belongs to an explanation.


def test_names_labels_and_masks(rng):
    model, images = small_lap_model(), rng.random((3, 16, 16, 3))
    names = ["cat", "dog", "owl"]
    options = {"labels": [2, 0, 1], "masks": np.ones((3, 4, 4))}
    explanation = explain(model, images, class_names=names, **options)
    assert explanation.concept_names == explanation.class_names == names
    assert explanation.class_concepts.tolist() == np.eye(3).tolist()
    assert explanation.labels.dtype == np.int64
    assert explanation.labels.tolist() == [2, 0, 1]
    assert explanation.masks.shape == (3, 16, 16) and explanation.masks.all()
    assert (explanation.combine, explanation.layers) == ("flow", ["shallow", "deep"])
    assert explanation.images is not images
    np.testing.assert_array_equal(explanation.images, images)
    assert explain(model, images).concept_names == [f"concept {k}" for k in range(3)]
    named = explain(model, images, concept_names=list("abc"), class_names=names)
    assert (named.concept_names, named.class_names) == (list("abc"), names)
    assert named.class_concepts.tolist() == np.eye(3).tolist()


def test_names_of_a_data_set(rng):
    dataset = tf.data.Dataset.from_tensors(rng.random((2, 16, 16, 3)))
    dataset.class_names = ["cat", "dog", "owl"]
    assert explain(small_lap_model(), dataset).class_names == ["cat", "dog", "owl"]
    single = dataset.unbatch()
    single.class_names = dataset.class_names
    assert explain(small_lap_model(), single).class_names == ["cat", "dog", "owl"]
    names = ["Katze", "Hund", "Eule"]
    assert explain(small_lap_model(), dataset, class_names=names).class_names == names
    # Something else of that name.
    for other in ([], "cat", [0, 1, 2], np.array(names), len):
        dataset.class_names = other
        assert explain(small_lap_model(), dataset).class_names is None


def test_names_of_a_data_set_of_other_classes_are_left_out_with_a_warning(rng):
    dataset = tf.data.Dataset.from_tensors(rng.random((2, 16, 16, 3)))
    dataset.class_names = ["cat", "dog"]
    with pytest.warns(UserWarning, match="has 2 `class_names`.*predicts 3") as told:
        explanation = explain(small_lap_model(), dataset)
    assert explanation.class_names is None
    assert explanation.concept_names == [f"concept {k}" for k in range(3)]
    assert [warning.filename for warning in told] == [__file__]
    names = ["cat", "dog", "owl"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            explain(small_lap_model(), dataset, class_names=names).class_names == names
        )


def test_too_few_names_are_refused_with_the_first_batch(rng):
    seen = []
    batches = (seen.append(1) or rng.random((1, 16, 16, 3)) for _ in range(3))
    with pytest.raises(ValueError, match="3 `class_names`, one per class"):
        explain(small_lap_model(), batches, class_names=["cat", "dog"])
    assert len(seen) == 1


def test_class_concepts(rng):
    model, images = small_lap_model(), rng.random((1, 16, 16, 3))
    rows = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 1]])
    told = explain(model, images, class_concepts=rows)
    np.testing.assert_array_equal(told.class_concepts, rows)
    told = explain(model, images, class_concepts=[2, 2, 0])
    np.testing.assert_array_equal(told.class_concepts, np.eye(3)[[2, 2, 0]])
    for wrong in (rows[:2], np.eye(3, 5), [0, 1, 7], [0, 1, 10**12]):
        with pytest.raises(ValueError, match=r"shape \(3, 3\), to fit the model"):
            explain(model, images, class_concepts=wrong)


@pytest.mark.parametrize(
    "class_concepts, expected",
    [
        ([2, 0, 1], ["dog", "owl", "cat"]),
        ([2, 2, 0], ["owl", "concept 1", "concept 2"]),
        ([[1, 1, 0], [0, 0, 0], [0, 0, 1]], ["concept 0", "concept 1", "owl"]),
    ],
)
def test_concepts_of_one_class_each_have_its_name(class_concepts, expected, rng):
    options = {"class_names": ["cat", "dog", "owl"], "class_concepts": class_concepts}
    explanation = explain(small_lap_model(), rng.random((1, 16, 16, 3)), **options)
    assert explanation.concept_names == expected


def test_scores_of_ramps_are_graded(rng):
    pooling = GlobalLAPooling2D(concepts=2, score_activation="ramp")
    model = keras.Sequential([keras.Input((8, 8, 3)), pooling])
    pooling.head.logits.set_weights([rng.normal(size=(3, 2)), np.zeros(2)])
    images = rng.normal(size=(3, 8, 8, 3)).astype("float32")
    with score_tape() as records:
        model(images)
    logits = records[0].logits.numpy().astype("float64")
    graded = np.clip((logits + 1) / 2, 0, 1) / (1 + np.exp(-logits))
    found = explain(model, images).scores
    np.testing.assert_allclose(found, graded.max(axis=(1, 2)), rtol=1e-5)


def test_concepts_by_name(rng):
    model, images = small_lap_model(), rng.random((1, 16, 16, 3))
    names = ["ear", "tail", "paw"]
    for concepts in (["paw", "ear"], [2, "ear"], np.array([2, 0])):
        chosen = explain(model, images, concepts=concepts, concept_names=names)
        assert chosen.concepts == [2, 0] and chosen.concept_names == ["paw", "ear"]
        np.testing.assert_array_equal(chosen.maps, maps_of(model, images)[..., [2, 0]])
    assert explain(model, images, concepts="concept 1").concepts == [1]
    with pytest.raises(ValueError, match=r"'tall'. Did you mean \['tail'\]"):
        explain(model, images, concepts=["tall"], concept_names=names)
    with pytest.raises(ValueError, match=r"3 `concept_names`.*Received: 2"):
        explain(model, images, concept_names=names[:2])


@pytest.mark.parametrize(
    "labels, activation, expected",
    [
        ([[1], [0]], None, [1, 0]),
        ([1.0, 2.0], None, [1, 2]),
        ([[0, 0, 1], [0, 1, 0]], "softmax", [2, 1]),
        ([[0, 0, 1], [0, 1, 0]], "sigmoid", [[0, 0, 1], [0, 1, 0]]),
        ([[0, 1, 1], [0, 1, 0]], "softmax", [[0, 1, 1], [0, 1, 0]]),
    ],
)
def test_forms_of_labels(labels, activation, expected, rng):
    head = layers.Dense(3, activation=activation)
    stack = [keras.Input((8, 8, 1)), GlobalLAPooling2D(), head]
    explanation = explain(
        keras.Sequential(stack), rng.random((2, 8, 8, 1)), labels=labels
    )
    assert explanation.labels.tolist() == expected


# The progress bar.


def test_bar_is_there_when_it_is_asked_for(capsys, rng):
    model, images = constant_model(0.5), rng.random((5, 8, 6, 3))
    explain(model, images, batch_size=2, verbose=True)
    assert "3/3" in capsys.readouterr().out
    batches = (images[start : start + 2] for start in range(0, 5, 2))
    explain(model, batches, verbose=1)
    assert "3/Unknown" in capsys.readouterr().out
    for verbose in ("auto", False, 0):
        explain(model, images, batch_size=2, verbose=verbose)
        assert capsys.readouterr().out == ""
    with pytest.raises(ValueError, match="Received: verbose='yes'"):
        explain(model, images, verbose="yes")


def test_reading_files_has_a_bar_of_its_own(capsys, tmp_path):
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        keras.utils.save_img(file, np.ones((8, 6, 3)))
    explain(constant_model(0.5), files, verbose=True)
    out = capsys.readouterr().out
    assert -1 < out.index("2/2") < out.index("1/1")


def test_bar_comes_by_itself_when_it_takes_long(capsys, monkeypatch):
    seconds = iter([0, 1, 2, 9, 9, 9])
    monkeypatch.setattr(progress, "time", mock.Mock(monotonic=lambda: next(seconds)))
    bar = progress.Progress(4, "auto")
    shown = []
    for _ in range(4):
        bar.update()
        shown.append("batch" in capsys.readouterr().out)
    assert shown == [False, False, True, True]
    # Not for the last batch alone.
    seconds = iter([0, 9])
    bar = progress.Progress(1, "auto")
    bar.update()
    assert capsys.readouterr().out == ""


def test_classes_in_another_order_are_warned_of(rng):
    """Of more images than are wrong by chance where a model has learned nothing."""
    images, model = rng.random((24, 16, 16, 3)), small_lap_model()
    predicted = explain(model, images).predicted
    wrong = (predicted + 1) % 3
    for labels, count, is_warned in (
        (wrong, 24, True),
        (wrong, 8, False),
        (predicted, 24, False),
        (np.where(np.arange(24) < 20, -1, wrong), 24, False),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            explain(model, images[:count], labels=labels[:count])
        told = [str(w.message) for w in caught if "of chance" in str(w.message)]
        assert len(told) == is_warned
        assert all("is 0.000, below the 0.333 of chance" in each for each in told)


def test_whole_numbers_that_are_no_classes_are_not_judged(rng):
    """As severities from 0 to 4, of a model with a single output."""
    inputs = keras.Input((8, 8, 1))
    pooled = GlobalLAPooling2D(concepts=1, base=None)(inputs)
    model = keras.Model(inputs, layers.Dense(1)(pooled))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        explain(model, rng.random((24, 8, 8, 1)), labels=2 + np.arange(24) % 3)
    assert not [w for w in caught if "of chance" in str(w.message)]
