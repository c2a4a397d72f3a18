"""Images of any origin, and what a data set tells of them."""

import pathlib
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from lap_models import maps_of, small_lap_model
from PIL import Image

from keras_lap import LAPooling2D, explain
from keras_lap.classifier.read_images import read_images
from keras_lap.classifier.standardize_masks import standardize_masks
from keras_lap.evaluation import energy_in_mask

# Images that are as they should be are never warned of.
pytestmark = pytest.mark.filterwarnings("error::UserWarning")


@pytest.fixture(scope="module")
def model():
    return small_lap_model()


@pytest.fixture
def write(tmp_path):
    """Writes an array as an image file and returns its path."""

    def write(name, pixels, **options):
        path = tmp_path / name
        Image.fromarray(pixels).save(path, **options)
        return path

    return write


def colours(count=3, size=(16, 16)):
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (count, *size, 3), dtype=np.uint8)


def lap_model(shape, data_format="channels_last"):
    lap = LAPooling2D(2, concepts=2, data_format=data_format)
    return keras.Sequential([keras.Input(shape), lap])


# Files.


def test_files_are_explained_as_their_pixels_are(model, write):
    images = colours()
    files = [write(f"{index}.png", image) for index, image in enumerate(images)]
    explanation = explain(model, files, batch_size=2)
    np.testing.assert_array_equal(explanation.images, images)
    np.testing.assert_allclose(
        explanation.maps, maps_of(model, images.astype("float32")), rtol=1e-5
    )
    assert explanation.files == [str(file) for file in files]
    for one in (files[1], str(files[1]), (str(files[1]),)):
        np.testing.assert_array_equal(explain(model, one).images, images[1:2])


def test_files_of_every_mode_become_the_colours_of_the_model(write):
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 200
    files = [
        write("colour.png", red),
        write("opaque.png", np.dstack([red, np.full((4, 4), 255, np.uint8)])),
        write("grey.png", np.full((4, 4), 60, np.uint8)),
        write("photo.jpg", red, quality=95),
    ]
    Image.open(files[0]).quantize(2).save(files[0].with_name("palette.png"))
    files.append(files[0].with_name("palette.png"))
    images, _ = read_images(files, (4, 4), 3)
    assert images.dtype == np.uint8
    first = images[:, 0, 0].astype(int)
    np.testing.assert_array_equal(first[[0, 1, 4]], [(200, 0, 0)] * 3)
    np.testing.assert_array_equal(first[2], (60, 60, 60))
    np.testing.assert_allclose(first[3], (200, 0, 0), atol=3)
    assert read_images(files, (4, 4), 4)[0][1, 0, 0].tolist() == [200, 0, 0, 255]
    assert read_images(files, (4, 4), 1)[0][0, 0, 0].tolist() == [round(200 * 0.299)]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_keep_their_precision_in_the_range_of_8(write, channels):
    pixels = np.array([[0, 1, 257, 30000], [256, 514, 65534, 65535]], np.uint16)
    files = [write("deep.png", pixels), write("flat.png", np.full((2, 4), 9, np.uint8))]
    images, _ = read_images(files, (2, 4), channels)
    assert images.shape == (2, 2, 4, channels) and images.dtype == np.float32
    np.testing.assert_allclose(images[0, ..., 0], pixels / 257, rtol=1e-6)
    np.testing.assert_array_equal(images[1, ..., 0], 9)
    if channels == 4:
        np.testing.assert_array_equal(images[..., 3], 255)


@pytest.mark.parametrize(
    "highest, bits",
    [(255, 8), (1023, 10), (4095, 12), (16383, 14), (16384, None), (0, None)],
)
def test_files_that_fill_a_part_of_16_bits_are_warned_of(write, highest, bits):
    files = [
        write("dark.png", np.zeros((8, 8), np.uint16)),
        write("scan.png", np.full((8, 8), highest, np.uint16)),
        write("eight.png", np.full((8, 8), 255, np.uint8)),
    ]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        explain(lap_model((8, 8, 1)), files)
    if bits is None:
        assert caught == []
    else:
        (warning,) = caught
        assert f"16-bit files is above {highest}: are they of {bits} bits?" in str(
            warning.message
        )
        assert warning.filename == __file__


@pytest.mark.parametrize("low, high", [(-1024, 3000), (0, 65536)])
def test_integers_that_16_bits_do_not_hold_are_refused(write, low, high):
    file = write("wide.tiff", np.array([[low, high]], np.int32))
    with pytest.raises(ValueError, match=f"from {low} to {high}, are not of 16 bits"):
        read_images([file], (1, 2), 1)


@pytest.mark.parametrize("bits", [8, 16])
def test_files_are_resized_bilinearly(write, bits):
    ramp = np.tile(np.arange(0, 240, 10, np.uint16), (12, 1))
    pixels = (ramp * 257).astype(np.uint16) if bits == 16 else ramp.astype(np.uint8)
    images, sizes = read_images([write("ramp.png", pixels)], (6, 12), 1)
    assert sizes.tolist() == [[12, 24]]
    # Of a ramp every other pixel's mean is that between two of them, but at its ends.
    expected = np.arange(5, 240, 20)[1:-1]
    np.testing.assert_allclose(images[0, 3, 1:-1, 0], expected, atol=0.51)


def test_grey_files_of_both_depths_are_explained(write):
    model = lap_model((8, 8, 1))
    rng = np.random.default_rng(0)
    deep = rng.integers(0, 65536, (8, 8), dtype=np.uint16)
    explanation = explain(model, [write("deep.png", deep)])
    expected = maps_of(model, (deep / 257)[None, ..., None])
    np.testing.assert_allclose(explanation.maps, expected, rtol=1e-4)
    assert explanation.overlay(0).shape == (1, 8, 8, 3)


def test_files_for_a_model_of_channels_first(write):
    images = colours(size=(8, 6))
    files = [write(f"{index}.png", image) for index, image in enumerate(images)]
    first = lap_model((3, 8, 6), "channels_first")
    last = lap_model((8, 6, 3))
    last.set_weights(first.get_weights())
    explanation = explain(first, files)
    np.testing.assert_array_equal(explanation.images, images)
    np.testing.assert_allclose(explanation.maps, maps_of(last, images), rtol=1e-6)


def test_files_of_one_size_for_a_model_of_any(write):
    model = lap_model((None, None, 3))
    files = [write(f"{index}.png", image) for index, image in enumerate(colours())]
    assert explain(model, files).maps.shape == (3, 16, 16, 2)
    files.append(write("wide.png", colours(1, (16, 20))[0]))
    with pytest.raises(ValueError, match=r"one size.*from \[16, 16\] to \[16, 20\]"):
        explain(model, files)


def test_files_for_a_subclassed_model_are_floats(write):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.stack = [layers.Conv2D(2, 3), LAPooling2D(2)]

        def call(self, inputs):
            return self.stack[1](self.stack[0](inputs))

    model, images = Subclassed(), colours(1)
    model(np.float32(images))
    maps = maps_of(model, [write("one.png", images[0])])
    np.testing.assert_array_equal(maps, maps_of(model, np.float32(images)))


def test_stretched_files_are_warned_of(model, write):
    files = [
        write("square.png", colours(1, (20, 20))[0]),
        write("wide.png", colours(1, (20, 30))[0]),
        # No pixel of 16 is lost or won.
        write("nearly.png", colours(1, (100, 103))[0]),
    ]
    with pytest.warns(UserWarning, match=r"1 of 3 files.*wide.png' from \(20, 30\)"):
        explain(model, files)
    explain(model, [files[0], files[2]])


def test_all_files_that_cannot_be_read_are_named_and_nothing_is_computed(
    model, write, tmp_path, monkeypatch
):
    monkeypatch.setattr(model, "call", None)
    good = write("good.png", colours(1)[0])
    cut = tmp_path / "cut.png"
    cut.write_bytes(good.read_bytes()[:200])
    text = tmp_path / "text.png"
    text.write_text("no image")
    missing = [tmp_path / "one.png", tmp_path / "two.png"]
    with pytest.raises(FileNotFoundError, match="3 of 4 that cannot") as raised:
        explain(model, [missing[0], good, missing[1], text])
    for name in ("one.png", "two.png", "text.png"):
        assert name in str(raised.value)
    assert "good.png" not in str(raised.value)
    with pytest.raises(ValueError, match=r"1 of 2 that cannot: .*cut.png"):
        explain(model, [good, cut])
    with pytest.raises(ValueError, match=r"1 of 2 that cannot: .*directory"):
        explain(model, [good, tmp_path])
    with pytest.raises(ValueError, match=r"Received: the folder '.*`sorted\(pathlib"):
        explain(model, tmp_path)


def test_files_that_no_model_of_images_takes(write, tmp_path):
    file = write("a.png", colours(1)[0])
    with pytest.raises(ValueError, match="Received: 5 channels"):
        explain(lap_model((16, 16, 5)), [file])
    Image.fromarray(np.ones((4, 4), "float32")).save(tmp_path / "floats.tiff")
    with pytest.raises(ValueError, match="floats of unknown range"):
        explain(lap_model((4, 4, 1)), tmp_path / "floats.tiff")
    with pytest.raises(ValueError, match="an empty list"):
        explain(lap_model((4, 4, 1)), [])


# Data sets.


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(2)
    masks = rng.integers(0, 2, (5, 8, 8, 1), dtype=np.uint8)
    return {
        "image": rng.random((5, 16, 16, 3), "float32"),
        "label": np.array([2, 0, 1, 2, 2]),
        "mask": masks,
    }


def check(explanation, model, arrays, targets):
    expected = maps_of(model, arrays["image"])
    np.testing.assert_allclose(explanation.maps, expected, rtol=1e-5)
    np.testing.assert_array_equal(explanation.images, arrays["image"])
    for name in ("label", "mask"):
        found = getattr(explanation, f"{name}s")
        if name not in targets:
            assert found is None
        elif name == "label":
            np.testing.assert_array_equal(found, arrays["label"])
        else:
            large = arrays["mask"][..., 0].repeat(2, axis=1).repeat(2, axis=2)
            np.testing.assert_array_equal(found, large)


ELEMENTS = {
    "image": (lambda a: a["image"], ()),
    "pair": (lambda a: (a["image"], a["label"]), ("label",)),
    "weighted": (lambda a: (a["image"], a["label"], a["label"] * 0.0), ("label",)),
    "targets": (lambda a: (a["image"], a), ("label", "mask")),
    "no label": (lambda a: (a["image"], {"mask": a["mask"]}), ("mask",)),
    "dict": (lambda a: a, ("label", "mask")),
}


@pytest.mark.parametrize("form", ELEMENTS)
def test_data_sets(form, model, arrays):
    element, targets = ELEMENTS[form]
    single = tf.data.Dataset.from_tensor_slices(element(arrays))
    check(explain(model, single, batch_size=3), model, arrays, targets)
    check(explain(model, single.batch(2)), model, arrays, targets)


def test_data_set_whose_length_is_unknown(model, arrays):
    dataset = tf.data.Dataset.from_tensor_slices((arrays["image"], arrays["label"]))
    dataset = dataset.filter(lambda image, label: label == 2).batch(2)
    explanation = explain(model, dataset)
    chosen = arrays["label"] == 2
    np.testing.assert_array_equal(explanation.images, arrays["image"][chosen])
    np.testing.assert_array_equal(explanation.labels, [2, 2, 2])


def test_any_iterable_of_batches(model, arrays):
    batches = (
        (arrays["image"][start : start + 2], arrays["label"][start : start + 2])
        for start in range(0, 5, 2)
    )
    check(explain(model, batches), model, arrays, ["label"])


@pytest.mark.parametrize("form", ["of masks", "of everything"])
def test_masks_that_are_not_valid_are_empty_and_not_measured(form, model, arrays):
    flags = np.array([True, False, True, True, False])
    valid = {"mask": flags} if form == "of masks" else flags
    targets = {"label": arrays["label"], "mask": arrays["mask"], "valid": valid}
    dataset = tf.data.Dataset.from_tensor_slices((arrays["image"], targets)).batch(3)
    explanation = explain(model, dataset)
    assert explanation.masks.any(axis=(1, 2)).tolist() == flags.tolist()
    values = energy_in_mask(explanation.of(), explanation.masks).values
    np.testing.assert_array_equal(np.isnan(values), ~flags)


@pytest.mark.parametrize("form", ["array", "data set"])
@pytest.mark.parametrize("class_concepts", [None, [2, 0, 1]])
def test_of_masks_of_every_concept_those_for_the_label_count(
    form, class_concepts, model, arrays
):
    masks = np.random.default_rng(0).integers(0, 2, (5, 16, 16, 3)) * 255
    if form == "array":
        options = {"labels": arrays["label"], "masks": masks}
        images = arrays["image"]
    else:
        options, targets = {}, {"label": arrays["label"], "mask": masks}
        images = tf.data.Dataset.from_tensor_slices((arrays["image"], targets))
    explanation = explain(model, images, class_concepts=class_concepts, **options)
    concepts = np.array(class_concepts or range(3))[arrays["label"]]
    expected = masks[np.arange(5), ..., concepts]
    np.testing.assert_array_equal(explanation.masks, expected > 0)
    union = explain(model, arrays["image"], masks=masks).masks
    np.testing.assert_array_equal(union, masks.max(axis=-1) > 0)


def test_thin_masks_stay_at_the_size_of_the_images():
    masks = np.eye(64)[:, :, None] * np.ones(64)
    found = standardize_masks(masks, (8, 8))
    expected = np.repeat(np.eye(8, dtype=bool), 8, axis=0)[..., None] & np.ones(8, bool)
    np.testing.assert_array_equal(found, expected)


def test_of_an_unknown_label_no_mask_is_known():
    masks, one_each = np.ones((3, 4, 4, 2)), np.eye(2, dtype=bool)
    found = standardize_masks(masks, (4, 4), [1, -1, 0], one_each)
    assert found.any(axis=(1, 2)).tolist() == [True, False, True]


@pytest.mark.parametrize("form", ["index", "column", "one-hot", "several"])
@pytest.mark.parametrize("count, concepts", [(1, 3), (3, 3), (3, 5), (2, 2)])
def test_which_masks_labels_of_every_form_take(form, count, concepts):
    rng = np.random.default_rng(0)
    masks = rng.random((count, 4, 4, concepts)) > 0.7
    class_concepts = np.eye(3, concepts, dtype=bool)[[1, 0, 2]]
    present = np.eye(3, dtype=int)[:count]
    if form == "several":
        present[:, 1] = 1
    labels = {"index": present.argmax(-1), "column": present.argmax(-1)[:, None]}
    pairs = zip(masks, present, strict=True)
    expected = [mask[..., row @ class_concepts > 0].any(axis=-1) for mask, row in pairs]
    labels = labels.get(form, present)
    found = standardize_masks(masks, (4, 4), labels, class_concepts)
    np.testing.assert_array_equal(found, expected)
    assert (found != masks.any(axis=-1)).any()
    for unknown in (None, class_concepts[:, 1:]):
        union = standardize_masks(masks, (4, 4), labels, unknown)
        np.testing.assert_array_equal(union, masks.any(axis=-1))


@pytest.mark.parametrize("labels", [[0, 2, 1], np.eye(2, 3)])
def test_labels_of_other_images_or_classes_choose_no_masks(labels):
    masks, one_each = np.ones((2, 4, 4, 2)), np.eye(2, dtype=bool)
    with pytest.raises(ValueError, match=r"2 images.*2 classes"):
        standardize_masks(masks, (4, 4), labels, one_each)


def test_data_set_of_inputs_by_name(model, arrays):
    elements = {"input": arrays["image"]}, arrays["label"]
    dataset = tf.data.Dataset.from_tensor_slices(elements)
    check(explain(model, dataset.batch(2)), model, arrays, ["label"])


def test_labels_of_several_outputs_are_left_out(model, arrays):
    label = arrays["label"]
    for several in ({"kind": label, "age": label}, (label, label), {"label": [label]}):
        batches = iter([(arrays["image"], several)])
        assert explain(model, batches, labels=label).labels.tolist() == label.tolist()
        batches = iter([(arrays["image"], several)])
        assert explain(model, batches).labels is None


def test_labels_that_are_none_are_refused_before_anything_is_computed(
    model, arrays, monkeypatch
):
    monkeypatch.setattr(model, "call", None)
    for labels in (arrays["image"], np.full(5, 0.5)):
        with pytest.raises(ValueError, match=r"whole numbers.*left out"):
            explain(model, iter([(arrays["image"], labels)]))
        with pytest.raises(ValueError, match="whole numbers"):
            explain(model, arrays["image"], labels=labels)


@pytest.mark.parametrize(
    "label", [[0.5, 1, 1.5, 0, 7], np.full((5, 3), 1 / 3)], ids=["numbers", "soft"]
)
def test_labels_of_a_dict_that_name_no_classes_are_left_out(label, model, arrays):
    """Of which the first batch tells; later ones may be whole, and of no class."""
    masks = np.arange(5 * 4 * 4 * 3).reshape(5, 4, 4, 3) % 7 == 0
    targets = {"label": np.array(label), "mask": masks}
    dataset = tf.data.Dataset.from_tensor_slices((arrays["image"], targets)).batch(1)
    with pytest.warns(UserWarning, match=r"no whole numbers.*left out") as told:
        explanation = explain(model, dataset)
    assert len(told) == 1
    assert explanation.labels is None
    union = standardize_masks(masks, explanation.maps.shape[1:3])
    np.testing.assert_array_equal(explanation.masks, union)


def test_labels_of_a_dict_may_be_floats(model, arrays):
    """Which are whole, or NaN. They choose masks."""
    masks = np.arange(5 * 4 * 4 * 3).reshape(5, 4, 4, 3) % 7 == 0
    targets = {"label": np.array([0, np.nan, 2, 1, 0]), "mask": masks}
    dataset = tf.data.Dataset.from_tensor_slices((arrays["image"], targets)).batch(2)
    explanation = explain(model, dataset)
    expected = [0, -1, 2, 1, 0]
    assert explanation.labels.tolist() == expected
    named = standardize_masks(masks, (16, 16), np.array(expected), np.eye(3) > 0)
    np.testing.assert_array_equal(explanation.masks, named)


def test_labels_given_beside_a_data_set_count(model, arrays):
    dataset = tf.data.Dataset.from_tensor_slices((arrays["image"], arrays["label"]))
    explanation = explain(model, dataset, labels=np.arange(5) % 3)
    assert explanation.labels.tolist() == [0, 1, 2, 0, 1]


def test_half_precision_of_tensorflow_becomes_a_dtype_of_numpy(model, arrays, tmp_path):
    images = tf.cast(arrays["image"], "bfloat16")
    explanation = explain(model, images)
    assert explanation.images.dtype == np.float32
    np.testing.assert_allclose(explanation.images, arrays["image"], rtol=2**-8)
    explanation.save(tmp_path / "half.npz")


def endless(arrays):
    return tf.data.Dataset.from_tensor_slices(arrays["image"]).repeat()


def test_images_of_several_sizes_are_refused():
    model = lap_model((None, None, 3))
    sizes = ((1, 16, 16, 3), (1, 12, 16, 3))
    with pytest.raises(ValueError, match=r"images of one shape, \(16, 16, 3\).*12"):
        explain(model, map(np.ones, sizes))
    images = tf.data.Dataset.from_generator(
        lambda: (np.ones(size[1:]) for size in sizes),
        output_signature=tf.TensorSpec((None, None, 3)),
    )
    with pytest.raises(ValueError, match=r"images of one size.*\[12,16,3\]"):
        explain(model, images)


@pytest.mark.parametrize(
    "images, options, message",
    [
        (endless, {}, r"repeats forever.*dataset.take\(n\)"),
        (lambda a: tf.data.Dataset.from_tensor_slices({"x": a["image"]}), {}, "'x'"),
        (lambda a: iter([]), {}, "a data set without any"),
        (
            lambda a: tf.data.Dataset.from_tensor_slices(a["image"]),
            {"masks": np.ones((5, 8, 8))},
            "masks of a data set in the data set",
        ),
        (lambda a: a["image"], {"labels": [1, 2]}, r"`labels` of 5 images.*\(2,\)"),
        (lambda a: a["image"], {"masks": np.ones((4, 8, 8))}, "`masks` of 5 images"),
        (lambda a: a["image"], {"masks": np.ones((5, 8))}, r"shape \(N, H, W\)"),
        (lambda a: a["image"], {"masks": np.ones((5, 8, 4))}, "the aspect ratio"),
        (
            lambda a: iter([(a["image"], {"mask": np.ones((5, 4, 8))})]),
            {},
            r"aspect ratio.*\(4, 8\) for images of \(16, 16\)",
        ),
        (lambda a: a["image"][..., :1], {}, r"np.repeat\(images, 3, axis=-1\)"),
        (lambda a: a["image"][:, :8, :, :1], {}, "Resize them"),
        (lambda a: a["image"], {"labels": np.full(5, 0.5)}, "whole numbers"),
        (lambda a: a["image"], {"labels": list("abcde")}, "whole numbers"),
        (lambda a: a["image"], {"labels": np.ones((5, 4, 4))}, "whole numbers"),
        (lambda a: a["image"], {"labels": [9] * 5}, r"from 0 to 2.*a label 9"),
        (lambda a: a["image"], {"labels": [np.nan, *[9] * 4]}, r"0 to 2.*a label 9"),
        (lambda a: a["image"], {"labels": np.eye(5)}, r"\(N, 3\).*\(5, 5\)"),
        (lambda a: iter([(a["image"], a["label"] + 1)]), {}, r"0 to 2.*a label 3"),
        (
            lambda a: iter([(a["image"], {"label": a["label"] + 1.0})]),
            {},
            r"0 to 2.*a label 3",
        ),
        (lambda a: a["image"], {"labels": 1}, r"`labels` of 5 images.*\(\)"),
        (lambda a: 7, {}, "images of rank 4"),
        (lambda a: (pathlib.Path(f"{n}.png") for n in "ab"), {}, "no list.*'a.png'"),
        (lambda a: [a["image"][0], a["image"][0, 1:]], {}, "images of one size"),
        (
            lambda a: (a["image"], a["label"]),
            {},
            r"images alone.*\(5, 16, 16, 3\), \(5,\)\]. Pass labels and masks",
        ),
        (lambda a: (tf.constant(a["image"]), a), {}, r"\(5, 16, 16, 3\), \(\)\]. Pass"),
        (lambda a: {"image": a["image"], "age": a["label"]}, {}, "images alone.*2 inp"),
        (lambda a: iter([({"a": a["image"], "b": 1}, 0)]), {}, "images alone.*2 inp"),
        (lambda a: {"label": a["label"]}, {}, r"rank 4.*shape=\(5,\)"),
        (lambda a: {"image": a["image"][0]}, {}, r"a batch axis with `images\[None\]`"),
        (lambda a: {}, {}, r"images alone.*0 inputs of shapes \[\]\.$"),
    ],
)
def test_images_and_targets_that_do_not_fit(model, arrays, images, options, message):
    with pytest.raises(ValueError, match=message):
        explain(model, images(arrays), **options)


def test_masks_of_other_concepts_than_the_models_count_together(model, arrays):
    masks = np.random.default_rng(0).random((5, 16, 16, 2)) > 0.7
    options = {"masks": masks, "labels": arrays["label"]}
    explanation = explain(model, arrays["image"], **options)
    np.testing.assert_array_equal(explanation.masks, masks.any(axis=-1))
