import itertools

import numpy as np
import pytest

pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_datasets")
pytest.importorskip("sklearn")
ndimage = pytest.importorskip("scipy.ndimage")

from keras_lap.datasets import (  # noqa: E402
    SizedConfig,
    SpottedBeetles,
    load,
    with_knowledge,
)
from keras_lap.datasets.drawn.beetle import TRAITS, draw_beetle  # noqa: E402
from keras_lap.datasets.drawn.frame import Frame  # noqa: E402
from keras_lap.datasets.spotted_beetles import (  # noqa: E402
    ATTRIBUTES,
    MARK_ATTRIBUTES,
    SPECIES,
    render_example,
)

LUMA = np.array([0.299, 0.587, 0.114])


@pytest.fixture(scope="module")
def examples():
    return [render_example("train", index) for index in range(200)]


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    builder = SpottedBeetles(
        config=SizedConfig(name="tiny", train=4, validation=1, test=2),
        data_dir=str(tmp_path_factory.mktemp("beetles")),
    )
    builder.download_and_prepare()
    return builder


# What tells the species


def test_species_of_equal_randomness_differ_in_the_saddle_alone():
    for seed in range(10):
        beetles = [draw_beetle(np.random.default_rng(seed), k) for k in range(8)]
        for one, other in itertools.combinations(beetles, 2):
            np.testing.assert_array_equal(one.mask, other.mask)
            np.testing.assert_array_equal(one.object_mask, other.object_mask)
            np.testing.assert_array_equal(one.traits, other.traits)
            differing = np.abs(one.image.astype(int) - other.image).max(axis=-1) > 40
            assert not (one.image != other.image)[one.mask[..., 0] == 0].any()
            assert differing.sum() >= 5


def test_marks_can_be_counted_in_the_saddle(examples):
    for example in examples:
        saddle = ndimage.binary_erosion(example["mask"][..., 0])
        dark = saddle & (example["image"] @ LUMA < 115)
        holes = ndimage.binary_fill_holes(dark) & ~dark
        species = SPECIES[example["label"]]
        count = 1 + species.startswith("two")
        assert ndimage.label(dark, np.ones((3, 3)))[1] == count
        assert ndimage.label(holes)[1] == count * ("ring" in species)


def test_the_saddle_is_a_small_part_of_the_beetle(examples):
    for example in examples:
        assert (example["mask"] <= example["object_mask"]).all()
        assert 0.1 < example["mask"].sum() / example["object_mask"].sum() < 0.25


def test_the_box_bounds_the_saddle(examples):
    for example in examples:
        rows, columns, _ = np.nonzero(example["mask"])
        edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        np.testing.assert_array_equal(np.multiply(example["bbox"], 64), edges)


# Attributes


def test_mark_attributes_determine_the_species(examples):
    for example in examples:
        species = SPECIES[example["label"]]
        told = [
            name
            for name, value in zip(ATTRIBUTES, example["attributes"], strict=True)
            if value and name in MARK_ATTRIBUTES
        ]
        assert told[0].removesuffix("_mark") in species
        assert told[1:] == ["paired_mark"] * species.startswith("two")


def test_all_else_is_independent_of_the_species(examples):
    labels = np.array([example["label"] for example in examples])
    assert np.bincount(labels, minlength=8).min() >= 15
    others = np.array(
        [
            [
                *example["attributes"][len(MARK_ATTRIBUTES) :],
                *example["bbox"],
                example["object_mask"].sum(),
            ]
            for example in examples
        ]
    )
    for values, indicator in itertools.product(others.T, np.eye(8)[labels].T):
        assert abs(np.corrcoef(values, indicator)[0, 1]) < 0.25
    np.testing.assert_allclose(others[:, : len(TRAITS)].mean(axis=0), 0.5, atol=0.12)


def test_traits_show(examples):
    """Some make the beetle larger, as measured by its saddle, and others lighter."""
    traits = np.array([example["attributes"] for example in examples])[:, -6:]
    areas, lumas = [], []
    for example in examples:
        rest = example["object_mask"][..., 0] > example["mask"][..., 0]
        areas.append(rest.sum() / example["mask"].sum())
        lumas.append((example["image"][rest] @ LUMA).mean())
    design = np.column_stack([traits, np.ones(len(traits))])
    (*by_area, _), (*by_luma, _) = (
        np.linalg.lstsq(design, values)[0] for values in (areas, lumas)
    )
    for name, area, luma in zip(TRAITS, by_area, by_luma, strict=True):
        if name in ("long_antennae", "clubbed_antennae", "pointed_tail"):
            assert area > 0.05, name
        else:
            assert luma > 2, name


# Shapes


def test_shapes_have_their_areas():
    frame = Frame((30.0, 34.0), 0.7, 10.0)
    for shape, area in (
        (frame.ellipse((0.3, -0.2), (1.2, 1.2)), np.pi * 1.2**2),
        (frame.ring((0, 0), 1.5, 0.5), np.pi * (1.5**2 - 1)),
        (frame.line((-1, -1), (1, 1), 0.6), 0.6 * 8**0.5 + np.pi * 0.3**2),
    ):
        assert shape.min() == 0
        assert shape.max() == 1
        assert shape.sum() == pytest.approx(100 * area, rel=0.01)


def test_frames_turn_clockwise():
    frame = Frame((20.0, 40.0), np.pi / 2, 5.0)
    centre = ndimage.center_of_mass(frame.line((1, 0), (3, 0), 1.0))
    assert np.add(centre, 0.5) == pytest.approx([50, 20])


# What is stored


def test_batches(builder):
    ((images, targets),) = load(builder, image_size=None, batch_size=4)
    rendered = [render_example("train", index) for index in range(4)]
    expected = {
        "label": [example["label"] for example in rendered],
        "mask": [example["mask"][..., 0] for example in rendered],
        "boxes": [[example["bbox"]] for example in rendered],
        "concepts": [example["attributes"] for example in rendered],
    }
    np.testing.assert_array_equal(images, [example["image"] for example in rendered])
    assert set(targets) == set(expected)
    assert builder.info.features["label"].names == list(SPECIES)
    for key, value in expected.items():
        np.testing.assert_array_equal(targets[key], value, err_msg=key)


def test_chosen_attributes():
    names = ["pointed_tail", "ring_mark"]
    example = {**render_example("train", 0), "bbox": np.zeros(4)}
    _, targets = with_knowledge("spotted_beetles", attributes=names)(example)
    expected = [example["attributes"][ATTRIBUTES.index(name)] for name in names]
    np.testing.assert_array_equal(targets["concepts"], expected)
    with pytest.raises(ValueError, match=r"'ring'.*Did you mean .*'ring_mark'"):
        with_knowledge("spotted_beetles", attributes=["ring"])(example)
