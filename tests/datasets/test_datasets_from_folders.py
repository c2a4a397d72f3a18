"""Batches from folders of images and masks."""

import os
import re
import sys
import warnings

import keras
import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("tensorflow_datasets")
pytest.importorskip("sklearn")
Image = pytest.importorskip("PIL.Image")
TiffImagePlugin = pytest.importorskip("PIL.TiffImagePlugin")

from collect import collect  # noqa: E402

import keras_lap  # noqa: E402
from keras_lap.classifier.read_images import read_images  # noqa: E402
from keras_lap.datasets import from_folders  # noqa: E402
from keras_lap.files.mask_files import mask_flags  # noqa: E402

HEIGHT, WIDTH = 8, 12
SIZE = HEIGHT, WIDTH
# Nearer to the left, so that a mask tells whether it was flipped.
INSIDE = slice(2, 6), slice(2, 8)


@pytest.fixture
def folder(tmp_path, rng):
    """Two healthy scans, and three ill ones of which the first two are outlined."""
    mask = np.zeros(SIZE, np.uint8)
    mask[INSIDE] = 255
    files = {
        **{f"healthy/{i}.png": rng.integers(0, 256, SIZE, "uint8") for i in range(2)},
        **{f"ill/{i}.png": rng.integers(0, 256, SIZE, "uint8") for i in range(3)},
        "masks/ill/0.png": mask,
        # Twice the resolution, and 1 for what is inside.
        "masks/ill/1.png": np.kron(mask // 255, np.ones((2, 2), np.uint8)),
    }
    for name, pixels in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path


def test_images_labels_and_masks(folder):
    dataset = from_folders(folder, SIZE, batch_size=2, channels=1)
    assert dataset.cardinality() == 3
    assert dataset.class_names == ["healthy", "ill"]
    images, targets = collect(dataset)
    files = sorted(folder.glob("*/*.png"))
    np.testing.assert_array_equal(images, read_images(files, SIZE, 1)[0])
    assert images.dtype == targets["mask"].dtype == np.float32
    assert targets["label"].dtype == np.int64
    np.testing.assert_array_equal(targets["label"], [0, 0, 1, 1, 1])
    assert targets["valid"]["mask"].tolist() == [False, False, True, True, False]
    expected = np.zeros((5, *SIZE))
    expected[2:4, *INSIDE] = 1
    np.testing.assert_array_equal(targets["mask"], expected)


@pytest.mark.parametrize("empty", ["healthy", ["healthy"]])
def test_classes_without_anything_to_outline(folder, empty):
    _, targets = collect(from_folders(folder, SIZE, empty=empty))
    assert targets["valid"]["mask"].tolist() == [True, True, True, True, False]
    assert not targets["mask"][:2].any()


def test_labels_alone_in_the_order_that_is_said(folder):
    for mask in folder.glob("masks/ill/*.png"):
        mask.unlink()
    with pytest.raises(FileNotFoundError, match=r"ill.0\.png\. Received: none.*no"):
        from_folders(folder)
    (folder / "masks/ill").rmdir()
    (folder / "masks").rmdir()
    with pytest.raises(ValueError, match=r"a folder 'masks'.*empty=\['healthy'\]"):
        from_folders(folder, empty="healthy")
    names = np.array(["ill", "healthy"])
    dataset = from_folders(folder, SIZE, class_names=names, channels=4)
    assert dataset.class_names == ["ill", "healthy"]
    images, labels = collect(dataset)
    assert images.shape == (5, *SIZE, 4)
    np.testing.assert_array_equal(labels, [0, 0, 0, 1, 1])
    assert labels.dtype == np.int64


def test_folders_of_splits(folder):
    (folder / "split/train").mkdir(parents=True)
    for name in ("healthy", "ill", "masks"):
        (folder / name).rename(folder / "split/train" / name)
    with (
        pytest.warns(UserWarning, match="below those of the classes"),
        pytest.raises(FileNotFoundError, match=r"pass '.*split.*train'"),
    ):
        from_folders(folder / "split")
    with pytest.raises(FileNotFoundError, match=r"none in its folders \['ill'\]$"):
        (folder / "empty/ill").mkdir(parents=True)
        from_folders(folder / "empty")


def test_16_bits_and_palettes(folder):
    deep = np.arange(96, dtype=np.uint16).reshape(SIZE) * 600
    Image.fromarray(deep).save(folder / "ill/0.png")
    Image.fromarray(deep * 0 + 1).save(folder / "masks/ill/0.png")
    outlined = Image.fromarray(np.eye(*SIZE, dtype=np.uint8), mode="P")
    outlined.putpalette([255, 255, 255, 0, 0, 0])
    outlined.save(folder / "masks/ill/1.png")
    images, targets = collect(from_folders(folder, SIZE))
    for channel in range(3):
        np.testing.assert_allclose(images[2, ..., channel], deep / 257, rtol=1e-6)
    assert (targets["mask"][2] == 1).all()
    # The second colour of the palette is black.
    np.testing.assert_array_equal(targets["mask"][3], 1 - np.eye(*SIZE))


@pytest.mark.parametrize("value", [np.nan, -1])
def test_masks_that_are_neither_inside_nor_outside_are_named(folder, value):
    (folder / "masks/ill/0.png").unlink()
    mask = Image.fromarray(np.where(np.eye(*SIZE), value, 1).astype("float32"))
    mask.save(folder / "masks/ill/0.tif")
    with pytest.raises(ValueError, match=r"ill.0\.tif': it holds NaN or values below"):
        mask_flags(folder / "masks/ill/0.tif")
    with pytest.raises(tf.errors.OpError, match=r"ill.0\.tif': it holds NaN or"):
        list(from_folders(folder, SIZE))


def test_16_bits_of_which_0_is_white(folder):
    deep = np.arange(96, dtype=np.uint16).reshape(SIZE) * 600
    outlined = np.eye(*SIZE, dtype=np.uint16)
    for name, pixels in {"ill/0": deep, "masks/ill/0": outlined}.items():
        (folder / f"{name}.png").unlink()
        inverted = Image.fromarray(65535 - pixels)
        inverted.save(folder / f"{name}.tif", tiffinfo={262: 0})
    images, targets = collect(from_folders(folder, SIZE, channels=1))
    np.testing.assert_allclose(images[2, ..., 0], deep / 257, rtol=1e-6)
    np.testing.assert_array_equal(targets["mask"][2], outlined)


def test_pixels_that_cannot_be_converted_are_of_a_file_that_is_named(folder):
    (folder / "ill/0.png").unlink()
    lab = Image.fromarray(np.zeros((*SIZE, 3), np.uint8), mode="LAB")
    lab.save(folder / "ill/0.tif")
    with pytest.raises(tf.errors.OpError, match=r"ill.0\.tif': conversion"):
        list(from_folders(folder, SIZE, channels=1))
    with pytest.raises(ValueError, match=r"ill.0\.tif': conversion"):
        read_images([folder / "ill/0.tif"], SIZE, 1)


def test_what_is_transparent_or_nearly_black_in_a_jpeg_is_outside(folder):
    inside = np.zeros(SIZE, np.uint8)
    inside[INSIDE] = 255
    white = np.full_like(inside, 255)
    rgba = np.stack([white, white, white, inside], axis=-1)
    Image.fromarray(rgba).save(folder / "masks/ill/0.png")
    # Blocks of 8 pixels ring around an edge that is not theirs.
    coarse = np.kron(inside, np.ones((3, 3), np.uint8))
    (folder / "masks/ill/1.png").unlink()
    jpeg = folder / "masks/ill/1.jpg"
    Image.fromarray(coarse).save(jpeg)
    assert ((np.asarray(Image.open(jpeg)) > 0) & (coarse == 0)).any()
    masks = collect(from_folders(folder, SIZE))[1]["mask"]
    for mask in masks[2:4]:
        np.testing.assert_array_equal(mask, inside == 255)
    # Brighter than what is seen is only what is not.
    grey = np.stack([np.where(inside, 100, 255)] * 3 + [inside], axis=-1)
    file = folder / "hidden.webp"
    Image.fromarray(grey.astype("uint8")).save(file, lossless=True, exact=True)
    np.testing.assert_array_equal(mask_flags(file, SIZE), inside == 255)
    tiff = folder / "jpeg.tif"
    Image.fromarray(coarse).save(tiff, compression="jpeg")
    np.testing.assert_array_equal(mask_flags(tiff, coarse.shape), coarse == 255)


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_dark_masks_in_formats_that_may_not_keep_black_are_refused(folder, ending):
    (folder / "masks/ill/0.png").unlink()
    dark = folder / f"masks/ill/0.{ending}"
    Image.fromarray(np.full(SIZE, 3, np.uint8)).save(dark)
    with pytest.raises(Exception, match=rf"0\.{ending}': .*above \d .*as PNG"):
        collect(from_folders(folder, SIZE))


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_masks_of_which_small_numbers_would_be_lost_are_refused(folder, channels):
    file, ones = folder / "masks/ill/0.png", np.ones((*SIZE, channels), "uint16")
    file.write_bytes(tf.io.encode_png(ones).numpy())
    with pytest.raises(ValueError, match=r"masks.ill.0\.png.*16 bits.*one channel"):
        from_folders(folder, SIZE)
    with pytest.raises(ValueError, match=r"masks.ill.0\.png.*16 bits.*one channel"):
        mask_flags(file)


@pytest.mark.parametrize("ending", ["tif", "gif", "png"])
@pytest.mark.parametrize("name", ["ill/0", "masks/ill/0"])
def test_files_of_several_pages_are_refused(folder, name, ending):
    (folder / f"{name}.png").unlink()
    first, *others = (Image.fromarray(np.full(SIZE, n, np.uint8)) for n in range(3))
    file = folder / f"{name}.{ending}"
    first.save(file, save_all=True, append_images=others)
    with pytest.raises(ValueError, match=rf"{name}\.{ending}.*3 pages.*its own"):
        from_folders(folder, SIZE)
    first.save(file)
    from_folders(folder, SIZE)


@pytest.mark.parametrize("which, is_one", [(1, True), (0, False)])
def test_a_page_that_is_a_smaller_version_of_the_first_does_not_count(
    folder, which, is_one
):
    pages = [Image.fromarray(np.full(SIZE, n, np.uint8)) for n in (200, 9)]
    (folder / "ill/0.png").unlink()
    with TiffImagePlugin.AppendingTiffWriter(folder / "ill/0.tif", new=True) as file:
        for number, page in enumerate(pages):
            page.save(file, "TIFF", tiffinfo={254: int(number == which)})
            file.newFrame()
    if is_one:
        assert (collect(from_folders(folder, SIZE))[0][2] == 200).all()
    else:
        with pytest.raises(ValueError, match="2 pages"):
            from_folders(folder, SIZE)


def test_a_photo_with_a_preview_in_its_file_is_one_page(folder):
    (folder / "ill/0.png").unlink()
    photo, preview = (Image.fromarray(np.full(SIZE, n, np.uint8)) for n in (200, 9))
    photo.save(folder / "ill/0.jpg", "MPO", save_all=True, append_images=[preview])
    assert (collect(from_folders(folder, SIZE))[0][2] > 190).all()


def test_a_new_order_in_each_epoch_by_seed(folder):
    def orders(**options):
        dataset = from_folders(folder, SIZE, channels=1, **options)
        return [collect(dataset)[0].sum(axis=(1, 2, 3)).tolist() for _ in range(2)]

    first, second = orders()
    assert first == second
    one, other = orders(shuffle=True, seed=1)
    assert [one, other] == orders(shuffle=True, seed=1)
    assert sorted(one) == sorted(other) == sorted(first)
    assert len({tuple(order) for order in (first, one, other)}) == 3


def test_resized_and_augmented_together(folder):
    plain, known = collect(from_folders(folder, (4, 6), channels=1))
    assert known["mask"][2:4].sum(axis=(1, 2)).tolist() == [6, 6]
    half = keras.layers.RandomFlip(dtype="mixed_bfloat16")
    spec, _ = from_folders(folder, layers=[half]).element_spec
    assert spec.dtype == "float32"
    flip = keras.layers.RandomFlip("horizontal", seed=0)
    flips = set()
    for _ in range(8):
        moved = from_folders(folder, (4, 6), channels=1, layers=[flip])
        images, targets = collect(moved)
        assert images.shape == (5, 4, 6, 1)
        for at in (2, 3):
            is_flipped = not np.array_equal(images[at], plain[at])
            step = -1 if is_flipped else 1
            np.testing.assert_array_equal(images[at], plain[at][:, ::step])
            np.testing.assert_array_equal(
                targets["mask"][at], known["mask"][at][:, ::step]
            )
            flips.add(is_flipped)
    assert flips == {False, True}
    crop = keras.layers.Resizing(6, 6, crop_to_aspect_ratio=True)
    images, targets = collect(from_folders(folder, None, channels=1, layers=[crop]))
    assert images.shape == (5, 6, 6, 1) and targets["mask"].shape == (5, 6, 6)


def test_training_on_it_and_explaining_it(folder):
    network = keras.Sequential(
        [
            keras.Input((*SIZE, 1)),
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras_lap.GlobalLAPooling2D(concepts=1),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
    network.compile("sgd", "binary_crossentropy", jit_compile=False)
    scans = from_folders(folder, SIZE, 2, empty="healthy", channels=1, shuffle=True)
    knowledge = keras_lap.callbacks.KnowledgeInjection(
        [keras_lap.losses.MaskSupervision()]
    )
    history = network.fit(scans, verbose=0, callbacks=[knowledge]).history
    assert history["mask_supervision"][0] > 0
    still = from_folders(folder, SIZE, 2, channels=1)
    explanation = keras_lap.explain(network, still)
    assert explanation.class_names == ["healthy", "ill"]
    files = [str(file) for file in sorted(folder.glob("*/*.png"))]
    assert still.files == explanation.files == files
    # In the order of the images there is no telling whose they are.
    assert not hasattr(scans, "files")
    assert keras_lap.explain(network, scans).files is None
    np.testing.assert_array_equal(explanation.labels, [0, 0, 1, 1, 1])
    assert explanation.masks.any(axis=(1, 2)).tolist() == [False] * 2 + [True] * 2 + [
        False
    ]


def test_says_what_is_wrong_at_once(folder):
    for arguments, error, reason in (
        ({"folder": folder / "nowhere"}, FileNotFoundError, "which is not there"),
        ({"class_names": "ill"}, ValueError, r"Received: a folder 'healthy' besides"),
        ({"batch_size": 0}, ValueError, "`batch_size` to be a positive integer"),
        ({"empty": ["helthy"]}, ValueError, r"Did you mean \['healthy'\]"),
        ({"image_size": 64}, ValueError, r"\(height, width\).*=64"),
        ({"channels": 2}, ValueError, "1, 3 or 4 channels"),
        ({"layers": [3]}, TypeError, "preprocessing layers"),
        ({"shuffle": 1000}, ValueError, "`shuffle` to be one of"),
    ):
        with pytest.raises(error, match=reason):
            from_folders(**{"folder": folder, **arguments})


@pytest.mark.parametrize(
    "file, size, reason",
    [
        ("ill/1.png", None, r"1\.png.*cannot identify"),
        ("masks/ill/1.png", None, r"masks.ill.1\.png.*cannot identify"),
        ("ill/1.png", "cut", r"ill.1\.png.*is broken"),
        ("ill/1.png", "floats", r"ill.1\.png.*floats of unknown range"),
        (
            "masks/ill/1.png",
            (12, 12),
            r"1 with another, as \(.*\): .*1\.png' of \(12, 12\).* of \(8, 12\)$",
        ),
    ],
)
def test_names_files_that_cannot_be_used_at_once(folder, file, size, reason):
    if size is None:
        (folder / file).write_bytes(b"no image")
    elif size == "cut":
        pages = [Image.fromarray(np.zeros((64, 64, 3), np.uint8)) for _ in range(2)]
        pages[0].save(folder / file, "TIFF", save_all=True, append_images=pages[1:])
        content = (folder / file).read_bytes()
        (folder / file).write_bytes(content[: len(content) // 2])
    elif size == "floats":
        Image.fromarray(np.zeros(SIZE, "float32")).save(folder / file, "TIFF")
    else:
        Image.fromarray(np.zeros(size, np.uint8)).save(folder / file)
    with pytest.raises(ValueError, match=reason):
        from_folders(folder, SIZE)


def test_a_file_that_memory_does_not_hold_is_not_called_broken(folder, monkeypatch):
    def fail(file):
        raise MemoryError

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(MemoryError):
        from_folders(folder, SIZE)


@pytest.mark.parametrize("file", ["ill/1.png", "masks/ill/1.png"])
def test_names_the_file_of_broken_pixels(folder, file):
    path = folder / file
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(tf.errors.OpError, match=rf"{file}.*truncated"):
        list(from_folders(folder, SIZE))


SAME_SIZE = keras.layers.RandomFlip("horizontal"), keras.layers.Rescaling(1 / 255)
ONE_SIZE = keras.layers.Resizing(8, 8), keras.layers.CenterCrop(8, 8)


@pytest.fixture
def several_sizes(folder):
    """The folder with a last image, which has no mask, of another size."""
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "ill" / "2.png")
    return folder


@pytest.mark.parametrize("layers", [(), SAME_SIZE])
def test_images_of_several_sizes_are_refused_at_once(several_sizes, layers):
    with pytest.raises(ValueError, match=r"of one size.*from \(8, 12\) to \(9, 9\)"):
        from_folders(several_sizes, None, layers=layers)


@pytest.mark.parametrize("layer", ONE_SIZE, ids=lambda layer: layer.name)
def test_layers_bring_images_of_several_sizes_to_one(several_sizes, layer):
    images, _ = collect(from_folders(several_sizes, None, layers=[*SAME_SIZE, layer]))
    assert images.shape == (5, 8, 8, 3)


@pytest.mark.parametrize("layers", [(), SAME_SIZE])
def test_batches_of_one_hold_images_of_several_sizes(several_sizes, layers):
    dataset = from_folders(several_sizes, None, batch_size=1, layers=layers)
    shapes = [(*x.shape, *y["mask"].shape) for x, y in dataset]
    assert shapes[:-1] == [(1, *SIZE, 3, 1, *SIZE)] * 4
    assert shapes[-1] == (1, 9, 9, 3, 1, 9, 9)


def test_layers_that_are_built_by_what_they_read(several_sizes):
    """The same ones for two data sets, whose graphs end before the layers do."""
    size = keras.layers.Resizing(*SIZE)
    scale = keras.layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[4.0] * 3)
    plain, _ = collect(from_folders(several_sizes, None, layers=[size]))
    for _ in range(2):
        images, _ = collect(from_folders(several_sizes, None, layers=[size, scale]))
        np.testing.assert_allclose(images, (plain - [1, 2, 3]) / 2, rtol=1e-6)


def test_layers_that_have_to_know_the_size(folder):
    layers = [keras.layers.RandomCrop(4, 4), keras.layers.RandomErasing()]
    images, targets = collect(from_folders(folder, None, layers=layers))
    assert images.shape[1:] == (4, 4, 3) and targets["mask"].shape[1:] == (4, 4)


def test_without_pillow_at_once(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match="needs Pillow"):
        from_folders(folder)


def test_names_that_are_not_text(folder):
    for name in ("ill/0.png", "masks/ill/0.png"):
        file = os.fsencode(folder / name)
        os.rename(file, file.replace(b"0.png", b"\xff.png"))
    _, targets = collect(from_folders(folder, SIZE))
    assert targets["valid"]["mask"].sum() == 2


def test_images_of_keras_set_to_channels_first(folder):
    plain, _ = collect(from_folders(folder, (4, 6)))
    keras.config.set_image_data_format("channels_first")
    try:
        images, _ = collect(from_folders(folder, (4, 6)))
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(images, plain)


def test_masks_beside_their_images_are_told(folder):
    for name in ("0_mask", "1_Segmentation", "2 mask_1", "3_mask"):
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(folder / f"ill/{name}.png")
    told = r"3 in .*: ill.0_mask\.png, ill.1_.*, ill.2.* as 'masks.ill.0\.png'"
    with pytest.warns(UserWarning, match=told):
        images, _ = collect(from_folders(folder, SIZE))
    assert len(images) == 9


def test_tells_what_is_left_out(folder):
    (folder / "ill/2020").mkdir()
    (folder / "ill/2.png").rename(folder / "ill/2020/2.png")
    with pytest.warns(UserWarning, match=r"1 in .*below.*: ill.2020.2\.png\. Images"):
        images, _ = collect(from_folders(folder, SIZE))
    assert len(images) == 4


def test_images_beside_the_folders_of_classes_are_told(folder):
    (folder / "ill/2.png").rename(folder / "2.png")
    with pytest.warns(UserWarning, match=r"1 in .*beside.*: 2\.png\. Images"):
        images, _ = collect(from_folders(folder, SIZE))
    assert len(images) == 4


def test_names_of_masks_in_another_form_of_unicode(folder):
    for parent, new in ((folder, "caf\u00e9"), (folder / "masks", "cafe\u0301")):
        (parent / "ill/0.png").rename(parent / f"ill/{new}.png")
        (parent / "ill").rename(parent / new)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, targets = collect(from_folders(folder, SIZE))
    assert targets["valid"]["mask"].sum() == 2


def test_tells_of_masks_in_deeper_folders_by_their_names(folder):
    (folder / "masks/ill/2020").mkdir()
    (folder / "masks/ill/empty").mkdir()
    (folder / "masks/ill/1.png").rename(folder / "masks/ill/2020/1.png")
    with pytest.warns(UserWarning, match=r"1 in .* no image.*: ill.2020.1\.png\. "):
        _, targets = collect(from_folders(folder, SIZE))
    assert targets["valid"]["mask"].sum() == 1


def test_files_of_other_kinds_are_told(folder):
    (folder / "ill/scan.dcm").touch()
    with pytest.warns(UserWarning, match=r"1 in .*kinds.*: ill.scan\.dcm\..*\.png"):
        images, _ = collect(from_folders(folder, SIZE))
    assert len(images) == 5


def test_a_folder_without_images_is_told_unless_it_is_named(folder):
    (folder / "annotations").mkdir()
    with pytest.warns(UserWarning, match="count as classes: annotations") as told:
        dataset = from_folders(folder, SIZE)
    assert dataset.class_names == ["annotations", "healthy", "ill"]
    assert [warning.filename for warning in told] == [__file__]
    names = ["healthy", "annotations", "ill"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, targets = collect(from_folders(folder, SIZE, class_names=names))
    assert sorted(set(targets["label"])) == [0, 2]


@pytest.mark.parametrize("name", ["0_mask.png", "0.nii.gz"])
def test_masks_of_other_names_are_named(folder, name):
    (folder / "masks/ill/1.png").unlink()
    (folder / "masks/ill/0.png").rename(folder / "masks/ill" / name)
    reason = rf"as in ill.0\.png\. .*but ill.{re.escape(name)}"
    with pytest.raises(FileNotFoundError, match=reason):
        from_folders(folder, SIZE)


@pytest.mark.parametrize("name", ["Masks", "mask"])
def test_a_folder_called_nearly_as_that_of_masks_is_told(folder, name):
    (folder / "masks").rename(folder / name)
    (folder / name / "0.png").write_bytes((folder / "ill/0.png").read_bytes())
    with pytest.warns(UserWarning, match=rf"{name}' .* as a class.*called 'masks'"):
        from_folders(folder, SIZE)
    with pytest.raises(ValueError, match=rf"'{name}' besides\..*called 'masks'"):
        from_folders(folder, SIZE, class_names=["healthy", "ill"])


def test_links(folder, tmp_path_factory):
    """Those to folders are left out and named, wherever they lead."""
    (folder / "ill/.hidden.png").symlink_to(folder / "ill/.hidden.png")
    (folder / "healthy/up").symlink_to(folder)
    (folder / "ill/more").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    with pytest.warns(UserWarning, match=r"2 in .*: healthy.up, ill.more\. Images"):
        images, _ = collect(from_folders(folder, SIZE))
    assert len(images) == 5


@pytest.mark.parametrize("target", ["gone.png", "link.png"])
@pytest.mark.parametrize("link", ["ill/link.png", "masks/ill/2.png"])
def test_links_that_lead_nowhere_are_told_at_once(folder, link, target):
    target = link if target == "link.png" else target
    (folder / link).symlink_to(folder / target)
    with pytest.raises((ValueError, OSError), match=re.escape(str(folder / link))):
        from_folders(folder, SIZE)


@pytest.mark.parametrize("twin", ["ill/0.bmp", "masks/ill/0.bmp"])
def test_refuses_names_that_do_not_tell_whose_mask_it_is(folder, twin):
    Image.fromarray(np.zeros(SIZE, np.uint8)).save(folder / twin)
    with pytest.raises(ValueError, match=r"0\.bmp' and '0\.png'"):
        from_folders(folder)
    # Of images without a mask there is nothing to tell.
    (folder / twin).rename(folder / "ill/2.bmp")
    assert len(collect(from_folders(folder, SIZE))[0]) == 6


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_warns_of_12_bits_stored_in_16(folder, channels):
    pixels = np.full((*SIZE, channels), 4095, np.uint16)
    if channels in (2, 4):
        pixels[..., -1] = 65535
    (folder / "ill/0.png").write_bytes(tf.io.encode_png(pixels).numpy())
    with pytest.warns(UserWarning, match="into is above 4095: are they of 12") as told:
        from_folders(folder, SIZE)
    assert told[0].filename == __file__


def test_thin_masks_stay(folder):
    for row in range(2):
        line = np.zeros((64, 96), np.uint8)
        line[30 + row : 32 + row, 8:48] = 255
        Image.fromarray(line).save(folder / f"masks/ill/{row}.png")
        Image.fromarray(line).save(folder / f"ill/{row}.png")
    _, targets = collect(from_folders(folder, SIZE, channels=1))
    expected = np.zeros((2, *SIZE))
    expected[0, 3, 1:6] = expected[1, 3:5, 1:6] = 1
    np.testing.assert_array_equal(targets["mask"][2:4], expected)


def test_warns_of_masks_of_whole_images(folder):
    bright = Image.fromarray(np.eye(*SIZE, dtype=np.uint8), mode="P")
    bright.putpalette([255, 255, 255, 200, 0, 0])
    for file in folder.glob("masks/ill/*.png"):
        bright.save(file)
    with pytest.warns(UserWarning, match=r"at least 100% .*all of 2 .*0\.png") as told:
        from_folders(folder, SIZE)
    assert [warning.filename for warning in told] == [__file__]
    # What the warning says to do.
    for file in folder.glob("masks/ill/*.png"):
        Image.fromarray(np.asarray(Image.open(file))).save(file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, targets = collect(from_folders(folder, SIZE))
    np.testing.assert_array_equal(targets["mask"][2], np.eye(*SIZE))


def test_warns_of_masks_that_are_all_black(folder):
    white = Image.fromarray(np.full((*SIZE, 4), 255, np.uint8))
    white.putalpha(0)
    for file in folder.glob("masks/ill/*.png"):
        white.save(file)
    with pytest.warns(UserWarning, match=r"nothing .*all of 2 .*0\.png") as told:
        from_folders(folder, SIZE)
    assert [warning.filename for warning in told] == [__file__]


def test_a_few_outlines_among_many_masks_are_found(folder):
    for number in range(3, 23):
        for place in ("ill", "masks/ill"):
            black = Image.fromarray(np.zeros(SIZE, np.uint8))
            black.save(folder / place / f"{number:02}.png")
    (folder / "masks/ill/0.png").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_folders(folder, SIZE)


@pytest.fixture
def turned(folder):
    """The folder with an outlined image that viewers turn by a quarter."""
    exif = Image.Exif()
    exif[274] = 6
    image = Image.open(folder / "ill/0.png")
    image.save(folder / "ill/0.png", exif=exif)
    return folder


def test_images_with_masks_that_viewers_turn_are_told(turned):
    with pytest.warns(UserWarning, match=r"1 of 2 .*ill.0\.png'.*exif_transpose"):
        from_folders(turned, SIZE)
    (turned / "masks/ill/0.png").unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_folders(turned, SIZE)


def test_tiffs_are_read_as_viewers_turn_them(turned):
    stored = Image.open(turned / "ill/0.png")
    stored.save(turned / "ill/0.tif", exif=stored.getexif())
    (turned / "ill/0.png").unlink()
    mask = turned / "masks/ill/0.png"
    Image.open(mask).transpose(Image.Transpose.ROTATE_270).save(mask)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = from_folders(turned, (WIDTH, HEIGHT), channels=1)
    images, _ = collect(dataset)
    # By a quarter, clockwise.
    np.testing.assert_array_equal(images[2, ..., 0], np.rot90(stored, -1))


def test_masks_drawn_on_what_viewers_show_are_refused_with_a_hint(turned):
    mask = turned / "masks/ill/0.png"
    Image.open(mask).transpose(Image.Transpose.ROTATE_90).save(mask)
    with pytest.raises(ValueError, match=r"of \(12, 8\) for .*exif_transpose"):
        from_folders(turned, SIZE)


def test_warns_of_outlines_where_there_are_said_to_be_none(folder):
    with pytest.warns(UserWarning, match=r"2 of 2 .*ill.0\.png'") as told:
        from_folders(folder, SIZE, empty=["ill"])
    assert [warning.filename for warning in told] == [__file__]
    for file in folder.glob("masks/ill/*.png"):
        Image.fromarray(np.zeros(SIZE, np.uint8)).save(file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        from_folders(folder, SIZE, empty=["ill"])
