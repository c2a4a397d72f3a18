import pathlib

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("sklearn")

from collect import collect  # noqa: E402
from random_examples import random_examples  # noqa: E402

import keras_lap  # noqa: E402
from keras_lap.datasets import (  # noqa: E402
    ClutteredDigits,
    ClutteredDigitsConfig,
    load,
    with_knowledge,
)
from keras_lap.losses import (  # noqa: E402
    BoxSupervision,
    ConceptLabels,
    MaskSupervision,
    Presence,
)

NAMES = ["oxford_iiit_pet", "caltech_birds2011", "celeb_a", "imagenet2012"]


@pytest.fixture
def random_data():
    with random_examples(6):
        yield


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    builder = ClutteredDigits(
        config=ClutteredDigitsConfig(name="few", train=12, validation=1, test=1),
        data_dir=str(tmp_path_factory.mktemp("digits")),
    )
    builder.download_and_prepare()
    return builder


# Examples into images and targets


def features(name, **values):
    image = np.arange(12, dtype="uint8").reshape(2, 2, 3)
    image, targets = with_knowledge(name)({"image": image, **values})
    assert image.shape == (2, 2, 3)
    return keras.tree.map_structure(np.asarray, targets)


def test_pets():
    trimap = np.array([[1, 2], [3, 0], [4, 255]], "uint8")[..., None]
    targets = features("oxford_iiit_pet", segmentation_mask=trimap, label=11)
    assert targets["label"] == 11
    np.testing.assert_array_equal(targets["mask"], [[1, 0], [1, 0], [0, 0]])
    options = with_knowledge("oxford_iiit_pet:4.0.0", label="species", border=0.5)
    given = {"image": None, "segmentation_mask": trimap, "species": 1}
    _, targets = options(given)
    assert targets["label"] == 1
    np.testing.assert_array_equal(targets["mask"], [[1, 0], [0.5, 0], [0, 0]])


def test_birds():
    mask = np.array([[0, 51], [204, 255]], "uint8")[..., None]
    box = np.array([0.25, 0, 0.5, 1], "float32")
    targets = features("caltech_birds2011", segmentation_mask=mask, bbox=box, label=4)
    assert sorted(targets) == ["boxes", "label", "mask"]
    np.testing.assert_allclose(targets["mask"], [[0, 0.2], [0.8, 1]], rtol=1e-6)
    np.testing.assert_array_equal(targets["boxes"], [box])


FACES = {"Young": True, "Bald": False, "Smiling": True}


def test_faces():
    targets = features("celeb_a", attributes=FACES)
    np.testing.assert_array_equal(targets["concepts"], [0, 1, 1])
    np.testing.assert_array_equal(targets["label"], targets["concepts"])
    smile = with_knowledge("celeb_a", label="Smiling", attributes=["Young", "Bald"])
    _, targets = smile({"image": None, "attributes": FACES})
    assert int(targets["label"]) == 1
    np.testing.assert_array_equal(targets["concepts"], [1, 0])


@pytest.mark.parametrize("options", [{"label": "Smilling"}, {"attributes": ["Yung"]}])
def test_faces_without_such_an_attribute(options):
    with pytest.raises(ValueError, match="Did you mean"):
        with_knowledge("celeb_a", **options)({"image": None, "attributes": FACES})


def test_imagenet_has_nothing_but_labels():
    assert features("imagenet2012", label=7) == 7


def test_digits_lie_in_their_masks_and_boxes(digits):
    dataset = digits.as_dataset(split="train")
    whole = dataset.map(with_knowledge("cluttered_digits/decoy"))
    for example, (image, targets) in zip(dataset, whole, strict=True):
        np.testing.assert_array_equal(image, example["image"])
        assert targets["label"] == example["label"]
        rows, columns = np.nonzero(targets["mask"])
        edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        np.testing.assert_allclose(targets["boxes"], np.divide([edges], 64), atol=1e-6)


def test_unknown_data_sets():
    with pytest.raises(ValueError, match=r"your own .*'mnist'"):
        with_knowledge("mnist")
    with pytest.raises(ValueError, match=r"Did you mean .*'celeb_a'"):
        with_knowledge("celeba")
    with pytest.raises(ValueError, match=r"Did you mean .*'cluttered_digits'"):
        load("cluttered_digit/a_config_of_quite_some_length:1.0.0")


OWN = {"knowledge": lambda features: (features["image"], features["label"])}


@pytest.mark.parametrize(
    "name, options, expected",
    [
        ("cluttered_digits/decoi", {}, r"a config of .*'decoi'.*\['decoy'\]\?"),
        ("cluttered_digits/x:1.0.0", {}, r"'x'\. The names are \['clutter', 'decoy'\]"),
        ("cluttered_digits", {"config": "decoi"}, r"'decoi'.*\['decoy'\]\?"),
        ("imagenet2012/small", {}, r"of 'imagenet2012' alone.*'small'"),
        ("mnst", OWN, r"of TensorFlow Datasets.*'mnst'\. Did you mean \['mnist'"),
    ],
)
def test_names_what_there_is_instead(name, options, expected, tmp_path):
    with pytest.raises(ValueError, match=expected) as raised:
        load(name, data_dir=tmp_path, **options)
    assert len(str(raised.value)) < 300
    # Nor are TFDS' own long words printed above it.
    assert raised.value.__context__ is None


@pytest.mark.parametrize("name", ["/data/scans", "./scans", pathlib.Path("scans")])
def test_refuses_paths_in_place_of_names(name):
    with pytest.raises(ValueError, match=r"scans.*from_folders.*`data_dir`"):
        load(name)


# Batches


def test_the_examples_in_their_order(digits):
    stored = list(tfds.as_numpy(digits.as_dataset(split="train")))
    dataset = load(digits, image_size=(64, 64), batch_size=5)
    assert dataset.cardinality() == 3
    images, targets = collect(dataset)
    assert images.dtype == np.float32
    np.testing.assert_allclose(images, [one["image"] for one in stored], atol=1e-3)
    np.testing.assert_array_equal(targets["label"], [one["label"] for one in stored])
    np.testing.assert_array_equal(
        targets["mask"], [one["mask"][..., 0] for one in stored]
    )


def test_shuffling_by_seed(digits):
    def order(seed):
        own = {"knowledge": lambda features: (features["image"], features["bbox"])}
        _, boxes = collect(load(digits, shuffle=12, seed=seed, image_size=None, **own))
        return boxes.tolist()

    first, again, other = order(1), order(1), order(2)
    assert first == again
    assert first != other
    assert sorted(first) == sorted(other)


def test_resized_and_augmented_together(digits):
    flips = [keras.layers.RandomFlip("horizontal"), keras.layers.RandomContrast(0.5)]
    images, targets = collect(load(digits, image_size=(32, 48), layers=flips))
    assert images.shape == (12, 32, 48, 3)
    assert targets["mask"].shape == (12, 32, 48)
    plain = collect(load(digits, image_size=(32, 48)))[1]
    flipped = []
    for after, before in zip(targets["mask"], plain["mask"], strict=True):
        flipped.append(not np.array_equal(after, before))
        np.testing.assert_array_equal(after, before[:, ::-1] if flipped[-1] else before)
    assert 0 < sum(flipped) < 12
    kept = np.logical_not(flipped)
    # Whole pixels around the box, of which 48 columns are 3 / 4 as many as before.
    assert np.abs(targets["boxes"] - plain["boxes"])[kept].max() < 1 / 32
    left, right = (plain["boxes"][flipped, 0, edge] for edge in (1, 3))
    assert np.abs(targets["boxes"][flipped, 0, 1] - (1 - right)).max() < 1 / 48
    assert np.abs(targets["boxes"][flipped, 0, 3] - (1 - left)).max() < 1 / 48


@pytest.mark.parametrize("name", NAMES)
def test_images_that_are_not_all_of_one_size(name, random_data, tmp_path):
    crop = keras.layers.Resizing(20, 16, crop_to_aspect_ratio=True)
    own = {} if name in NAMES[2:] else {"knowledge": lambda x: (x["image"], x["label"])}
    images, _ = collect(
        load(name, "train", None, 4, layers=[crop], data_dir=tmp_path, **own)
    )
    assert images.shape == (6, 20, 16, 3)


# Training

FITS = {
    "oxford_iiit_pet": (37, [MaskSupervision()]),
    "caltech_birds2011": (200, [MaskSupervision("outside"), BoxSupervision()]),
    "celeb_a": (40, [ConceptLabels(), Presence()]),
    "imagenet2012": (1000, [Presence()]),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.one_in(4)
def test_training_on_it(name, random_data, tmp_path):
    classes, losses = FITS[name]
    network = keras.Sequential(
        [
            keras.Input((16, 16, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes, activation="sigmoid"),
        ]
    )
    model = keras_lap.convert(network, concepts=classes)
    kind = "binary" if name == "celeb_a" else "sparse_categorical"
    model.compile("sgd", f"{kind}_crossentropy", run_eagerly=True)
    shift = keras.layers.RandomTranslation(0.1, 0.1, fill_mode="constant")
    dataset = load(
        name, "train", (16, 16), 4, layers=[shift], shuffle=6, data_dir=tmp_path
    )
    knowledge = keras_lap.callbacks.KnowledgeInjection(losses)
    history = model.fit(dataset, verbose=0, callbacks=[knowledge]).history
    for loss in losses:
        assert np.isfinite(history[loss.name]).all()
        assert history[loss.name][0] > 0


def test_refuses_what_would_not_be_heeded():
    with pytest.raises(TypeError, match="batchsize"):
        load(tfds.builder("celeb_a"), batchsize=2)
    with pytest.raises(ValueError, match=r"'bordr'.*Did you mean \['border'\]"):
        with_knowledge("oxford_iiit_pet", bordr=1)


def test_refuses_sizes_and_labels_that_are_none():
    with pytest.raises(ValueError, match=r"`image_size` .*\(height, width\).*=64"):
        load("oxford_iiit_pet", image_size=64)
    for name, value in (("shuffle", True), ("shuffle", -1), ("batch_size", 0)):
        with pytest.raises(ValueError, match=f"`{name}` .* integer.*{name}={value}"):
            load("oxford_iiit_pet", **{name: value})
    with pytest.raises(ValueError, match=r"`label` .*'species'.*'dog'"):
        with_knowledge("oxford_iiit_pet", label="dog")({"segmentation_mask": None})
