import importlib
import itertools
import sys

import numpy as np
import pytest

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("sklearn")

import keras_lap.datasets  # noqa: E402
from keras_lap.datasets import ClutteredDigits, ClutteredDigitsConfig  # noqa: E402
from keras_lap.datasets.cluttered_digits import (  # noqa: E402
    render_example,
    split_names,
)
from keras_lap.datasets.drawn.enlarge import enlarge  # noqa: E402
from keras_lap.datasets.drawn.handwriting import (  # noqa: E402
    SHARES,
    assign_samples,
    digits_of,
)
from keras_lap.datasets.drawn.patch import PATCH_COLOURS  # noqa: E402
from keras_lap.datasets.drawn.placement import place_digit, place_distractor  # noqa: E402
from keras_lap.datasets.drawn.scene import draw_scene  # noqa: E402
from keras_lap.datasets.drawn.strokes import (  # noqa: E402
    _FAINTEST,
    _SOLID,
    ink,
    scramble,
)

SIZES = {"train": 24, "validation": 4, "test": 40}
TWINS = [("validation", "validation_shifted"), ("test", "test_shifted")]


def build(data_dir, **config):
    builder = ClutteredDigits(
        config=ClutteredDigitsConfig(**config), data_dir=str(data_dir)
    )
    builder.download_and_prepare()
    return builder


def read(builder):
    """All examples of every split, one list of dictionaries of arrays per split."""
    return {
        split: list(tfds.as_numpy(builder.as_dataset(split=split)))
        for split in builder.info.splits
    }


@pytest.fixture(scope="module")
def decoy_builder(tmp_path_factory):
    return build(
        tmp_path_factory.mktemp("decoy"), name="tiny_decoy", decoy=True, **SIZES
    )


@pytest.fixture(scope="module")
def decoy(decoy_builder):
    return read(decoy_builder)


@pytest.fixture(scope="module")
def clutter(tmp_path_factory):
    sizes = {split: size // 2 for split, size in SIZES.items()}
    return read(build(tmp_path_factory.mktemp("clutter"), name="tiny_clutter", **sizes))


def pixels(bbox):
    """The slices of rows and columns that a relative box stands for."""
    edges = np.asarray(bbox) * 64
    top, left, bottom, right = edges.round().astype(int)
    np.testing.assert_allclose(edges, [top, left, bottom, right], atol=1e-4)
    return slice(top, bottom), slice(left, right)


def assert_equal_examples(one, other, keys):
    for key in keys:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)


# What is stored


def test_splits(decoy, clutter):
    assert list(clutter) == ["train", "validation", "test"]
    assert {split: len(examples) for split, examples in decoy.items()} == {
        **SIZES,
        "validation_shifted": SIZES["validation"],
        "test_shifted": SIZES["test"],
    }


def test_features(decoy, clutter):
    for examples in (*decoy.values(), *clutter.values()):
        for example in examples:
            assert example["image"].shape == (64, 64, 3)
            assert example["image"].dtype == np.uint8
            assert np.ptp(example["image"]) > 50
            assert example["label"].dtype == np.int64
            assert 0 <= example["label"] <= 9
            assert example["mask"].shape == (64, 64, 1)
            assert example["mask"].dtype == np.uint8
            assert set(np.unique(example["mask"])) == {0, 1}
            assert example["bbox"].shape == (4,)
            assert example["bbox"].dtype == np.float32
    assert set(clutter["train"][0]) == {"image", "label", "mask", "bbox"}
    assert set(decoy["train"][0]) == {"image", "label", "mask", "bbox", "patch_bbox"}


def test_info(decoy_builder):
    info = decoy_builder.info
    assert info.features["label"].names == [str(digit) for digit in range(10)]
    assert info.features["mask"].names == ["background", "digit"]
    assert info.supervised_keys == ("image", "label")
    assert "load_digits" in info.description
    assert "Alpaydin" in info.citation
    assert info.homepage.startswith("https://archive.ics.uci.edu/")


def test_as_supervised(decoy_builder):
    image, label = next(
        iter(decoy_builder.as_dataset(split="train", as_supervised=True))
    )
    assert image.shape == (64, 64, 3)
    assert label.shape == ()


def test_bbox_bounds_the_mask_tightly(decoy):
    for example in itertools.chain(*decoy.values()):
        rows, columns = pixels(example["bbox"])
        inside = example["mask"][rows, columns]
        assert inside.sum() == example["mask"].sum()
        for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
            assert edge.any()


def test_digit_size(decoy):
    heights = [
        rows.stop - rows.start
        for rows, _ in (pixels(example["bbox"]) for example in decoy["test"])
    ]
    assert min(heights) >= 24
    assert max(heights) <= 36


def test_stored_examples_are_the_rendered_ones_in_order(decoy):
    for split in ("train", "test_shifted"):
        for index, example in enumerate(decoy[split]):
            rendered = render_example(split, index, decoy=True)
            assert_equal_examples(example, rendered, ["image", "label", "mask"])
            np.testing.assert_allclose(example["bbox"], rendered["bbox"])
            np.testing.assert_allclose(example["patch_bbox"], rendered["patch_bbox"])


# Repeatability


def test_an_example_does_not_depend_on_how_many_there_are(decoy, clutter):
    for split in clutter:
        assert len(clutter[split]) < len(decoy[split])
        for small, large in zip(clutter[split], decoy[split], strict=False):
            assert_equal_examples(small, large, ["label", "mask", "bbox"])


def test_rendering_is_repeatable():
    keys = ["image", "label", "mask", "bbox", "patch_bbox"]
    for split in split_names(decoy=True):
        once, again = (render_example(split, 5, decoy=True) for _ in range(2))
        assert_equal_examples(once, again, keys)


def test_images_differ_over_indices_and_splits():
    images = [
        render_example(split, index)["image"].tobytes()
        for split in split_names(decoy=False)
        for index in range(5)
    ]
    assert len(set(images)) == len(images)


# Handwriting


def test_splits_share_no_handwriting():
    samples = np.concatenate(list(assign_samples().values()))
    np.testing.assert_array_equal(np.sort(samples), np.arange(1797))


def test_assignment_keeps_classes_and_proportions():
    for split, share in SHARES.items():
        counts = np.bincount(digits_of(split).labels, minlength=10)
        np.testing.assert_allclose(counts, share * 179.7, atol=5)


def test_digits_are_the_assigned_samples():
    source = pytest.importorskip("sklearn.datasets").load_digits()
    for split, samples in assign_samples().items():
        digits = digits_of(split)
        np.testing.assert_array_equal(digits.strokes * 16, source.images[samples])
        np.testing.assert_array_equal(digits.labels, source.target[samples])


def test_mask_shows_the_handwriting_of_the_sample():
    digits = digits_of("test")
    templates = digits.strokes.reshape(len(digits.labels), -1)
    templates = templates - templates.mean(axis=1, keepdims=True)
    templates /= np.linalg.norm(templates, axis=1, keepdims=True)
    ranks = []
    for seed in range(40):
        scene = draw_scene(np.random.default_rng(seed), digits)
        shrunk = shrink_to_source(scene.mask[..., 0], digits.strokes[scene.sample])
        similarity = templates @ (shrunk - shrunk.mean()).ravel()
        assert similarity[scene.sample] > 0.7 * np.linalg.norm(shrunk - shrunk.mean())
        ranks.append((similarity > similarity[scene.sample]).sum())
    assert np.median(ranks) <= 2


def shrink_to_source(mask, strokes):
    """Averages a mask over the cells of the 8x8 grid from which it was enlarged."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    mask = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # The enlargement that gave a mask of this size tells where the cells are.
    for size in range(32, 43):
        reference = enlarge(np.pad(strokes, 1), size) > (_FAINTEST + _SOLID) / 2
        rows, columns = (np.flatnonzero(reference.any(axis)) for axis in (1, 0))
        extent = (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
        if extent == mask.shape:
            break
    full = np.zeros((size, size))
    full[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = mask
    cell = (np.arange(size) * 10 // size)[:, None] == np.arange(10)
    cell = cell / cell.sum(axis=0)
    return (cell.T @ full @ cell)[1:-1, 1:-1]


# The patch


def patch_colour(example):
    """Index of the colour that fills the patch; fails unless it is uniform."""
    patch = example["image"][pixels(example["patch_bbox"])]
    assert patch.shape == (8, 8, 3)
    assert (patch == patch[0, 0]).all()
    (index,) = np.flatnonzero((patch[0, 0] == PATCH_COLOURS).all(axis=1))
    return int(index)


def test_patch_colours_are_far_apart():
    pairs = itertools.combinations(PATCH_COLOURS.astype(float), 2)
    assert min(np.linalg.norm(one - other) for one, other in pairs) > 90


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_patch_colour_tells_the_label(decoy, split):
    for example in decoy[split]:
        assert patch_colour(example) == example["label"]


def test_patch_colour_is_independent_of_the_label_in_shifted_splits():
    examples = [render_example("test_shifted", i, decoy=True) for i in range(300)]
    labels = np.array([example["label"] for example in examples])
    colours = np.array([patch_colour(example) for example in examples])
    assert np.bincount(colours, minlength=10).min() > 10
    assert 0.04 < (colours == labels).mean() < 0.17
    assert abs(np.corrcoef(colours, labels)[0, 1]) < 0.2


def test_patch_takes_every_corner_whatever_the_label():
    examples = [render_example("train", i, decoy=True) for i in range(300)]
    corners = np.array([tuple(example["patch_bbox"])[:2] for example in examples])
    assert set(map(tuple, corners)) == set(itertools.product((0.0, 0.875), repeat=2))
    labels = np.array([example["label"] for example in examples])
    for axis in (0, 1):
        assert abs(np.corrcoef(corners[:, axis], labels)[0, 1]) < 0.2


@pytest.mark.parametrize(("split", "shifted"), TWINS)
def test_shifted_twin_differs_in_the_colour_of_the_patch_only(decoy, split, shifted):
    differing = 0
    for one, other in zip(decoy[split], decoy[shifted], strict=True):
        assert_equal_examples(one, other, ["label", "mask", "bbox", "patch_bbox"])
        recoloured = other["image"].copy()
        recoloured[pixels(one["patch_bbox"])] = PATCH_COLOURS[one["label"]]
        np.testing.assert_array_equal(recoloured, one["image"])
        differing += patch_colour(one) != patch_colour(other)
    assert differing > len(decoy[split]) / 2


def test_decoy_is_clutter_outside_the_patch(decoy, clutter):
    for split in clutter:
        for plain, patched in zip(clutter[split], decoy[split], strict=False):
            outside = np.ones((64, 64), bool)
            outside[pixels(patched["patch_bbox"])] = False
            np.testing.assert_array_equal(
                plain["image"][outside], patched["image"][outside]
            )


def test_patch_never_touches_the_digit():
    digits = digits_of("train")
    for seed in range(300):
        mask = draw_scene(np.random.default_rng(seed), digits).mask[..., 0]
        for rows, columns in itertools.product((slice(0, 9), slice(55, 64)), repeat=2):
            assert not mask[rows, columns].any()


# The parts of a scene


def test_enlarge_keeps_constants_and_smooth_curves():
    np.testing.assert_allclose(enlarge(np.full((8, 8), 0.3), 29), 0.3)
    ramp = np.tile(np.arange(8.0), (8, 1))
    position = (np.arange(32) + 0.5) / 4 - 0.5
    np.testing.assert_allclose(
        enlarge(ramp, 32)[:, 8:-8], np.tile(position[8:-8], (32, 1))
    )


def test_enlarge_agrees_with_keras():
    keras = pytest.importorskip("keras")
    values = np.pad(np.random.default_rng(0).random((8, 8)), 3)
    expected = keras.ops.image.resize(
        values[..., None], (56, 56), interpolation="bicubic", antialias=True
    )
    np.testing.assert_allclose(enlarge(values, 56), expected[..., 0], atol=1e-3)


def test_scramble_turns_a_quadrant_of_each_digit():
    strokes = np.arange(4 * 64.0).reshape(4, 8, 8)
    scrambled = scramble(np.random.default_rng(0), strokes)
    for digit, rows, columns in zip(strokes, (0, 0, 4, 4), (0, 4, 0, 4), strict=True):
        quadrant = digit[rows : rows + 4, columns : columns + 4]
        found = scrambled[rows : rows + 4, columns : columns + 4]
        turns = [np.array_equal(found, np.rot90(quadrant, turn)) for turn in range(4)]
        assert turns.index(True) in (1, 2, 3)


def test_scrambled_strokes_resemble_no_digit():
    digits = digits_of("train")
    templates = digits.strokes.reshape(len(digits.labels), -1)
    templates = templates / np.linalg.norm(templates, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    for _ in range(200):
        four = digits.strokes[rng.integers(len(digits.labels), size=4)]
        scrambled = scramble(rng, four).ravel()
        assert (templates @ scrambled).max() < 0.85 * np.linalg.norm(scrambled)


def test_any_scramble_leaves_some_ink():
    for split in SHARES:
        assert (digits_of(split).strokes[:, :4, :4].max(axis=(1, 2)) > 0.3).all()


def test_ink_is_cropped_to_what_is_visible():
    strokes = np.zeros((8, 8))
    strokes[2:6, 3:5] = 1.0
    opacity = ink(strokes, 40)
    assert opacity.min() == 0.0
    assert opacity.max() == 1.0
    assert 16 <= opacity.shape[0] <= 20
    assert 8 <= opacity.shape[1] <= 12
    for edge in (opacity[0], opacity[-1], opacity[:, 0], opacity[:, -1]):
        assert edge.any()


def test_places():
    rng = np.random.default_rng(0)
    for _ in range(500):
        shape = tuple(rng.integers(20, 35, size=2))
        digit_shape = tuple(rng.integers(20, 35, size=2))
        top, left = place_digit(rng, digit_shape, 64, 10)
        covered = np.zeros((64, 64), bool)
        covered[top : top + digit_shape[0], left : left + digit_shape[1]] = True
        assert covered.sum() == np.prod(digit_shape)
        for rows, columns in itertools.product((slice(10), slice(54, 64)), repeat=2):
            assert not covered[rows, columns].any()

        start = place_distractor(rng, shape, 64, (top, left), digit_shape)
        for first, length in zip(start, shape, strict=True):
            assert first >= -(length // 3)
            assert first + length <= 64 + length // 3
        rows, columns = (
            slice(max(first, 0), first + length)
            for first, length in zip(start, shape, strict=True)
        )
        assert covered[rows, columns].sum() <= 0.08 * np.prod(shape)


# Loading and errors


def test_tfds_load(tmp_path, monkeypatch):
    config = ClutteredDigits.builder_configs["decoy"]
    for split in SHARES:
        monkeypatch.setattr(config, split, 3)
    (test, shifted), info = tfds.load(
        "cluttered_digits/decoy",
        data_dir=str(tmp_path),
        split=["test", "test_shifted"],
        with_info=True,
    )
    assert info.full_name == "cluttered_digits/decoy/1.0.0"
    for one, other in zip(tfds.as_numpy(test), tfds.as_numpy(shifted), strict=True):
        assert_equal_examples(one, other, ["mask", "label"])


def test_published_configs(tmp_path):
    for name in ("clutter", "decoy"):
        builder = tfds.builder(f"cluttered_digits/{name}", data_dir=str(tmp_path))
        assert isinstance(builder, ClutteredDigits)
        config = builder.builder_config
        assert config.decoy == (name == "decoy")
        assert (config.train, config.validation, config.test) == (6000, 600, 1000)


def test_clutter_is_the_default_config(tmp_path):
    builder = tfds.builder("cluttered_digits", data_dir=str(tmp_path))
    assert builder.builder_config.name == "clutter"


def test_unknown_config(tmp_path):
    with pytest.raises(ValueError, match="BuilderConfig decoys not found"):
        ClutteredDigits(config="decoys", data_dir=str(tmp_path))


@pytest.mark.parametrize("split", SHARES)
@pytest.mark.parametrize("count", [-1, 0, 2.5, "many", True])
def test_bad_counts(split, count):
    with pytest.raises(ValueError, match=rf"`{split}` to be a positive integer\. Rec"):
        ClutteredDigitsConfig(name="bad", **{split: count})


@pytest.mark.parametrize(
    ("split", "decoy"), [("test_shifted", False), ("train_shifted", True), ("", True)]
)
def test_bad_split(split, decoy):
    with pytest.raises(ValueError, match=rf"`split` to be one of .*='{split}'"):
        render_example(split, 0, decoy=decoy)


def test_bad_index():
    with pytest.raises(ValueError, match=r"at least 0\. Received: index=-1"):
        render_example("train", -1)


def test_missing_dependencies_are_named_at_once_with_the_extra(monkeypatch):
    for name in ("sklearn", "tensorflow_datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    reason = r'sklearn, tensorflow_datasets\..*`pip install "keras-lap\[datasets\]"'
    with pytest.raises(ImportError, match=reason):
        importlib.reload(keras_lap.datasets)
