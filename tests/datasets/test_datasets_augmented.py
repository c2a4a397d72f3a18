import keras
import numpy as np
import pytest
from keras import layers

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_datasets")
pytest.importorskip("sklearn")

from keras_lap.datasets import augmented  # noqa: E402
from keras_lap.utils.moves_pixels import moves_pixels  # noqa: E402
from keras_lap.utils.resized_masks import resized_masks  # noqa: E402

SIZE = (24, 36)
# Rows and columns of what two concepts cover.
SQUARES = [(slice(6, 16), slice(8, 22)), (slice(18, 22), slice(25, 33))]
DRAWS = 40


def scene():
    """An image with a bright square, and all that is known about it."""
    image = np.zeros((*SIZE, 3), "float32")
    image[SQUARES[0]] = 200
    mask = np.zeros((*SIZE, 2), "uint8")
    for concept, square in enumerate(SQUARES):
        mask[(*square, concept)] = 1
    boxes = [
        [rows.start / 24, columns.start / 36, rows.stop / 24, columns.stop / 36]
        for rows, columns in SQUARES
    ]
    targets = {
        "label": np.int64(3),
        "mask": mask,
        "boxes": np.array([*boxes, [-1] * 4], "float32"),
        "box_concepts": np.array([0, 1, -1]),
        "note": b"passed on",
    }
    return image, targets


def draw(given, *sample, batch=None, count=DRAWS):
    """What layers make of a sample, several times over, without the batches' axis."""
    dataset = tf.data.Dataset.from_tensors(sample or scene()).repeat(count)
    if batch:
        dataset = dataset.batch(batch)
    dataset = dataset.map(augmented(given))
    return list((dataset.unbatch() if batch else dataset).as_numpy_iterator())


def extent(mask):
    """The box around a mask, as shares of the image."""
    if not mask.any():
        return [-1] * 4
    (rows, columns), (height, width) = np.nonzero(mask), mask.shape
    edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    return np.divide(edges, [height, width, height, width])


CONSTANT = {"fill_mode": "constant", "fill_value": 30.0}
MOVING = {
    "flip": lambda: layers.RandomFlip(),
    "rotation": lambda: layers.RandomRotation(0.3, **CONSTANT),
    "mirrored rotation": lambda: layers.RandomRotation(0.3),
    "translation": lambda: layers.RandomTranslation(0.6, 0.6, **CONSTANT),
    "wrapped translation": lambda: layers.RandomTranslation(0.6, 0.6, "wrap"),
    "zoom": lambda: layers.RandomZoom(0.5, 0.5, **CONSTANT),
    "shear": lambda: layers.RandomShear(0.5, 0.5, **CONSTANT),
    "perspective": lambda: layers.RandomPerspective(1.0, 0.6, fill_value=30.0),
    "crop": lambda: layers.RandomCrop(12, 12),
    "center crop": lambda: layers.CenterCrop(12, 20),
    "resizing, cropped": lambda: layers.Resizing(20, 20, crop_to_aspect_ratio=True),
    "resizing, padded": lambda: layers.Resizing(
        20, 20, pad_to_aspect_ratio=True, fill_value=30.0
    ),
}


@pytest.mark.parametrize(
    ("name", "batch"),
    [*((name, None) for name in MOVING), ("flip", 8), ("rotation", 8), ("zoom", 8)],
)
@pytest.mark.one_in(3)
def test_a_square_stays_in_its_mask_and_its_box(name, batch):
    draws = draw([MOVING[name]()], batch=batch)
    assert len(draws) == DRAWS
    for image, targets in draws:
        mask = targets["mask"]
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) <= {0, 1}
        # Images are interpolated bilinearly: what is of a square by more than half is
        # next to one of its pixels, which has a quarter of the weight at least.
        assert mask[image[..., 0] > 0.51 * 200 + 0.49 * 30, 0].all()
        assert (image[mask[..., 0] == 1] > 0.24 * 200).all()
        for concept in (0, 1):
            np.testing.assert_allclose(
                targets["boxes"][concept], extent(mask[..., concept]), atol=1e-6
            )


@pytest.mark.parametrize("name", ["rotation", "crop"])
def test_every_image_is_moved_anew(name):
    masks = {targets["mask"].tobytes() for _, targets in draw([MOVING[name]()])}
    assert len(masks) > DRAWS / 2


def test_the_moving_layers_of_rand_augment():
    layer = layers.RandAugment(interpolation="nearest")
    layer._AUGMENT_LAYERS = ["random_shear", "random_translation", "random_rotation"]
    for image, targets in draw([layer]):
        np.testing.assert_array_equal(image[..., 0] > 100, targets["mask"][..., 0])


def test_what_leaves_the_image_becomes_padding():
    out = layers.RandomTranslation(0, (0.4, 0.4), **CONSTANT)
    [(_, targets)] = draw([out], count=1)
    whole = augmented(out)(np.zeros((10, 10, 1)), {"boxes": np.array([[0, 0, 1, 1]])})
    np.testing.assert_allclose(whole[1]["boxes"], [[0, 0.4, 1, 1]], atol=1e-6)
    first, second, padding = targets["boxes"]
    # By 14.4 pixels, of which the nearest pixels see 14.
    np.testing.assert_allclose(first, [6 / 24, 22 / 36, 16 / 24, 1], atol=1e-6)
    np.testing.assert_array_equal([second, padding], -np.ones((2, 4)))


def test_everything_else_is_passed_on():
    image, before = scene()
    weight = np.float32(0.25)
    [(_, after, kept)] = draw(
        [layers.RandomFlip(), layers.RandomRotation(0.1)],
        image,
        before,
        weight,
        count=1,
    )
    assert kept == weight
    for key in ("label", "box_concepts", "note"):
        np.testing.assert_array_equal(after[key], before[key])
        assert np.asarray(after[key]).dtype == np.asarray(before[key]).dtype


def test_layers_that_keep_places_leave_masks_and_boxes():
    image, before = scene()
    before["boxes"] = np.array([[0.111, 0.222, 0.333, 0.444], [-1] * 4], "float32")
    colours = [
        layers.Pipeline([layers.RandomBrightness(0.5), layers.RandomErasing()]),
        layers.ContrastLimitedAdaptiveHistogramEqualization(),
        layers.Rescaling(1 / 255),
    ]
    for changed, after in draw(colours, image, before, count=5):
        assert not np.allclose(changed * 255, image, atol=1)
        np.testing.assert_array_equal(after["mask"], before["mask"])
        np.testing.assert_array_equal(after["boxes"], before["boxes"])


def test_stretching_keeps_boxes_exactly_and_resizes_masks_of_any_size():
    image, before = scene()
    before["boxes"] = np.array([[0.111, 0.222, 0.333, 0.444]], "float32")
    before["mask"] = before["mask"][::2, ::2, 0]
    [(resized, after)] = draw([layers.Resizing(48, 36)], image, before, count=1)
    assert resized.shape == (48, 36, 3)
    assert after["mask"].shape == (48, 36)
    np.testing.assert_allclose(extent(after["mask"]), extent(before["mask"]), atol=1e-6)
    np.testing.assert_array_equal(after["boxes"], before["boxes"])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32"])
@pytest.mark.parametrize("size", [(3, 4), (10, 12), (8, 54), (36, 60)])
def test_thin_masks_stay_where_images_become_smaller(size, dtype):
    masks = np.random.default_rng(0).random((*SIZE, 3)) > 0.8
    masks[..., :2] = False
    masks[7, 5:30, 0] = True
    value = {"bool": True, "uint8": 255, "float32": 0.7}[dtype]
    targets = {"mask": (masks * value).astype(dtype)}
    resize = augmented(layers.Resizing(*size))
    _, found = resize(np.zeros((*SIZE, 1), "float32"), targets)
    expected = resized_masks(np.moveaxis(masks, -1, 0), size)
    assert expected.any(axis=(1, 2)).tolist() == [True, False, True]
    expected = (np.moveaxis(expected, 0, -1) * value).astype(dtype)
    assert found["mask"].dtype == dtype
    np.testing.assert_allclose(found["mask"], expected, rtol=1e-6)


def test_thin_masks_and_boxes_stay_where_images_are_cropped_or_padded_too():
    image, mask = np.zeros((*SIZE, 1), "float32"), np.zeros(SIZE, "float32")
    mask[13, 12:24] = 1
    targets = {"mask": mask, "boxes": [[13 / 24, 1 / 3, 14 / 24, 2 / 3]]}
    for options, rows, columns in (
        ({"crop_to_aspect_ratio": True}, slice(3, 4), slice(2, 4)),
        ({"pad_to_aspect_ratio": True, "fill_value": 9.0}, slice(3, 4), slice(2, 4)),
    ):
        _, found = augmented(layers.Resizing(6, 6, **options))(image, targets)
        expected = np.zeros((6, 6))
        expected[rows, columns] = 1
        np.testing.assert_array_equal(found["mask"], expected)
        np.testing.assert_allclose(found["boxes"], [extent(expected)], atol=1e-6)


class Noted(layers.Resizing):
    """A layer of one's own, with an argument of its own."""

    def __init__(self, note, **options):
        super().__init__(**options)
        self.note = note

    def get_config(self):
        return {**super().get_config(), "note": self.note}


def test_thin_masks_stay_in_layers_of_ones_own_and_in_half_precision():
    mask = np.zeros((1, 12, 12), bool)
    mask[..., 3:9] = True
    (expected,) = resized_masks(mask, (12, 6))
    for layer in (
        Noted("of mine", height=12, width=6),
        layers.Resizing(12, 6, dtype="mixed_bfloat16"),
    ):
        image = np.zeros((12, 12, 1), "float32")
        _, found = augmented(layer)(image, {"mask": mask[0]})
        np.testing.assert_array_equal(found["mask"], expected)


def test_thin_lines_of_two_codes_keep_their_own():
    mask = np.zeros((16, 16), "uint8")
    # Neither is what the nearest pixels see.
    mask[:, 0], mask[:, 4] = 1, 3
    image = np.zeros((16, 16, 1), "float32")
    _, found = augmented(layers.Resizing(4, 4))(image, {"mask": mask})
    np.testing.assert_array_equal(found["mask"], [[1, 3, 0, 0]] * 4)


@pytest.mark.parametrize("dtype", ["bool", "int32", "float32", "float64"])
def test_masks_keep_their_type_and_values(dtype):
    image, before = scene()
    value = 0.3 if dtype.startswith("float") else 1
    before["mask"] = (before["mask"][..., 0] * value).astype(dtype)
    for _, after in draw([MOVING["rotation"]()], image, before, count=5):
        assert after["mask"].dtype == dtype
        assert after["mask"].shape == SIZE
        values = np.unique(after["mask"]).astype("float64")
        np.testing.assert_allclose(values, [0, value], atol=1e-5)
        assert values[0] == 0
    codes = np.random.default_rng(0).choice([0, 1, 3], (6, 9, 2))
    before = (np.kron(codes, np.ones((4, 4, 1))) * value).astype(dtype)
    for size in ((5, 7), (13, 20), (30, 12)):
        _, after = augmented(layers.Resizing(*size))(image, {"mask": before})
        assert after["mask"].dtype == dtype
        assert np.isin(after["mask"], before.astype("float32")).all()


@pytest.mark.parametrize("layer", [layers.CenterCrop, layers.RandomCrop])
def test_masks_of_flags_keep_their_size_where_crops_enlarge(layer):
    mask = np.zeros((12, 12), bool)
    mask[4:8, 4:8] = True
    _, found = augmented(layer(24, 24))(np.zeros((12, 12, 1)), {"mask": mask})
    expected = np.kron(mask, np.ones((2, 2), bool))
    np.testing.assert_allclose(expected.sum(), np.sum(found["mask"]), rtol=0.07)


@pytest.mark.parametrize("name", ["rotation", "center crop", "resizing, cropped"])
def test_masks_that_are_not_known_stay_so(name):
    image, before = scene()
    before["mask"] = before["mask"].astype("float32")
    before["mask"][0, 0, 1] = np.nan
    _, after = augmented(MOVING[name]())(image, before)
    is_gap = np.isnan(after["mask"])
    assert is_gap[..., 1].all() and not is_gap[..., 0].any()


def test_a_box_holds_the_pixels_it_touches_and_survives_invalid_neighbours():
    image, before = scene()
    before["boxes"] = np.array(
        [
            [0.26, 0.26, 0.49, 0.49],
            [0.2, 0.3, 0.2, 0.4],
            [np.nan] * 4,
            [-0.5, 0.5, 0.25, 1.5],
        ],
        "float32",
    )
    still = layers.RandomTranslation(0.0, 0.0)
    [(_, after)] = draw([still], image, before, count=1)
    expected = [[6 / 24, 9 / 36, 12 / 24, 18 / 36], *[[-1] * 4] * 2, [0, 0.5, 0.25, 1]]
    np.testing.assert_allclose(after["boxes"], expected, atol=1e-6)


@pytest.mark.parametrize("boxes", [[[4, 6, 12, 20]], [[0.5, 0.5, 0.4, 0.6]]])
def test_what_is_no_box_stays_for_the_callback_to_warn_of(boxes):
    image, before = scene()
    before["boxes"] = np.array([*boxes, [0, 0, 0.5, 0.5], [-1, -1, -1, -1]])
    flip = layers.RandomFlip("horizontal")
    for _, after in draw([flip, flip], image, before):
        np.testing.assert_array_equal(after["boxes"][[0, 2]], before["boxes"][[0, 2]])
        assert after["boxes"][1, 1] in (0, 0.5)
    of_integers = {"boxes": np.array([[4, 6, 12, 20]])}
    _, after = augmented(flip)(image, of_integers)
    np.testing.assert_array_equal(after["boxes"], of_integers["boxes"])


def test_images_with_plain_labels():
    image, _ = scene()
    [(cropped, label)] = draw([layers.RandomCrop(8, 8)], image, np.int64(4), count=1)
    assert cropped.shape == (8, 8, 3)
    assert label == 4


def test_outside_of_a_data_set_and_made_inside_of_one():
    image, targets = scene()
    flip = layers.RandomFlip("horizontal", seed=1)
    samples = tf.data.Dataset.from_tensors((image, targets))
    inside = samples.map(lambda image, targets: augmented(flip)(image, targets))
    for moved, known in (augmented(flip)(image, targets), *inside):
        np.testing.assert_array_equal(moved[..., 0] > 0, known["mask"][..., 0])


# Refusals


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (layers.RandomElasticTransform(), "distorts masks otherwise than the image"),
        (layers.MixUp(), "blends two images"),
        (layers.CutMix(), "puts parts of one image into another"),
        (layers.AugMix(), "blends an image with moved copies of it"),
        (layers.Cropping2D(2), "not known whether it moves pixels"),
        (layers.RandomFlip(data_format="channels_first"), "layout 'channels_first'"),
        (
            layers.RandomContrast(0.1, data_format="channels_first"),
            "layout 'channels_first'.*data_format='channels_last'",
        ),
        (
            layers.RandomRotation(0.1, fill_value=127.5, dtype="mixed_bfloat16"),
            "fills in 127.5.*bfloat16.*dtype='float32'",
        ),
        (
            layers.RandomRotation(0.1, fill_value=5000.0, dtype="mixed_float16"),
            "fills in 5000.*float16",
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_refused_layers_are_named(layer, reason):
    inside = layers.Pipeline([layers.RandomContrast(0.1), layer])
    with pytest.raises(ValueError, match=f"Received: '{layer.name}' .*{reason}"):
        augmented([inside])


def test_refusing_the_elastic_transform_is_still_right():
    layer = layers.RandomElasticTransform(1.0, 1.0, interpolation="nearest", seed=1)
    images = np.stack([scene()[0]] * 8)
    moved = layer({"images": images, "segmentation_masks": images}, training=True)
    assert np.abs(moved["images"] - moved["segmentation_masks"]).max() > 100


@pytest.mark.parametrize(
    "inputs, received",
    [
        (lambda image: {"image": image, "age": 3.0}, r"dict of inputs: \['age', 'ima"),
        (lambda image: (image, 3.0), "tuple of inputs: 2"),
    ],
    ids=["dict", "tuple"],
)
def test_an_image_among_other_inputs_is_refused(inputs, received):
    image, targets = scene()
    with pytest.raises(ValueError, match=f"Expected an image .*{received}"):
        draw([layers.RandomFlip()], inputs(image), targets)


def test_masks_of_another_size_are_refused():
    image, targets = scene()
    targets["mask"] = targets["mask"][::2, ::2]
    with pytest.raises(ValueError, match="Expected masks of the size of the images"):
        draw([layers.RandomFlip()], image, targets)


def test_masks_without_space_are_refused():
    image, targets = scene()
    targets["mask"] = targets["mask"][0, :, 0]
    with pytest.raises(ValueError, match=r"Expected a mask .*\(36,\)"):
        draw([layers.RandomFlip()], image, targets)


def boxes_of(shape):
    return {"boxes": np.zeros(shape)}


@pytest.mark.parametrize(
    ("targets", "received"),
    [
        (boxes_of(4), r"\(4,\) with"),
        (boxes_of((1, 1, 4)), r"\(1, 1, 4\) with"),
        (boxes_of((2, 3)), r"\(2, 3\) with"),
        ({"boxes": boxes_of((1, 4))}, "a dict"),
    ],
    ids=str,
)
def test_boxes_of_another_shape_are_refused(targets, received):
    image, _ = scene()
    with pytest.raises(ValueError, match=rf"Expected boxes \(M, 4\).*{received}"):
        augmented([layers.RandomFlip()])(image, targets)


@pytest.mark.parametrize("what", [[layers.RandomFlip], [3], "RandomFlip", None])
def test_what_is_no_layer_is_refused(what):
    with pytest.raises(TypeError, match=r"Expected Keras' preprocessing layers.*type"):
        augmented(what)


# Which layers move pixels

ARGUMENTS = {
    "CenterCrop": (12, 12),
    "MaxNumBoundingBoxes": (4,),
    "RandomBrightness": (0.5,),
    "RandomColorDegeneration": (0.5,),
    "RandomCrop": (12, 12),
    "RandomContrast": (0.5,),
    "RandomHue": (0.5,),
    "RandomPosterization": (4,),
    "RandomRotation": (0.3,),
    "RandomSaturation": (0.5,),
    "RandomSharpness": (0.5,),
    "RandomShear": (0.5, 0.5),
    "RandomTranslation": (0.5, 0.5),
    "RandomZoom": (0.5,),
}
# Keras takes no dicts, no masks, or none with other channels than the images.
MASKS_RAISE_ERRORS = {
    "ContrastLimitedAdaptiveHistogramEqualization": False,
    "CutMix": True,
    "MixUp": True,
    "RandomGrayscale": False,
}
FOR_IMAGES = [
    name
    for name, kind in vars(layers).items()
    if hasattr(kind, "transform_segmentation_masks") and name != "Resizing"
]


@pytest.mark.parametrize("name", FOR_IMAGES)
@pytest.mark.one_in(3)
def test_moving_layers_are_those_that_change_masks(name):
    layer = getattr(layers, name)(*ARGUMENTS.get(name, ()))
    if name in MASKS_RAISE_ERRORS:
        assert moves_pixels(layer) == MASKS_RAISE_ERRORS[name]
        return
    image, targets = scene()
    images, masks = (np.stack([x] * 4) for x in (image, targets["mask"]))

    def changes_masks():
        data = {"images": images, "segmentation_masks": masks.astype("float32")}
        moved = layer(data, training=True)["segmentation_masks"]
        return not np.array_equal(np.asarray(moved), masks)

    assert moves_pixels(layer) == any(changes_masks() for _ in range(5))


def test_what_else_moves_pixels():
    inside = keras.Sequential([layers.Rescaling(2.0), layers.RandomFlip()])
    assert moves_pixels(keras.Sequential([inside, layers.Flatten()]))
    assert moves_pixels(layers.Resizing(8, 8, pad_to_aspect_ratio=True))
    for layer in (layers.Resizing(8, 8), layers.Conv2D(1, 1), layers.Cropping2D()):
        assert not moves_pixels(layer)
