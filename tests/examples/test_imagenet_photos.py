"""The example that explains photos runs, on a small network with random weights."""

import re
import sys

import keras
import numpy as np
import pytest

import keras_lap


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("family", ["MobileNet", "ResNet50", "DenseNet121"])
def test_networks_preprocess_pixels_themselves(family, monkeypatch, rng):
    from common.application_network import application_network

    def small(weights, input_shape, classes, classifier_activation):
        mean = keras.layers.GlobalAveragePooling2D()
        return keras.Sequential([keras.Input(input_shape), mean])

    application = getattr(keras.applications, family)
    small.__module__ = application.__module__
    monkeypatch.setattr(keras.applications, family, small)
    network = application_network(family, image_size=8)
    pixels = rng.uniform(0, 255, (2, 8, 8, 3)).astype("float32")
    preprocess = sys.modules[application.__module__].preprocess_input
    expected = keras.ops.softmax(preprocess(pixels.copy()).mean(axis=(1, 2)))
    np.testing.assert_allclose(network(pixels), expected, rtol=1e-4, atol=1e-6)


def test_photos_and_views(tmp_path):
    import imagenet_photos

    colours = np.zeros((30, 60, 3), "uint8")
    colours[:, 15:45] = 200
    file = tmp_path / "photo.PNG"
    keras.utils.save_img(file, colours, scale=False)
    np.testing.assert_array_equal(imagenet_photos.read_photo(file, (20, 20)), 200)
    views = imagenet_photos.random_views([file], (10, 10), 12)
    assert views.shape == (12, 10, 10, 3)
    assert len({view.tobytes() for view in views}) > 6


def test_photos_of_ones_own_do_without_scikit_learn(monkeypatch):
    import imagenet_photos

    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(FileNotFoundError, match=r"missing\.jpg"):
        imagenet_photos.main(["missing.jpg"])


@pytest.mark.usefixtures("eager")
def test_imagenet_photos(tmp_path, capsys):
    import imagenet_photos

    figure = tmp_path / "pictures" / "photos.png"
    imagenet_photos.main(
        [
            "--network=MobileNet",
            "--weights=none",
            "--image-size=64",
            "--views=8",
            "--epochs=2",
            f"--figure={figure}",
        ]
    )
    assert figure.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert float(re.search(r"change of an output: (\S+)", printed).group(1)) <= 1e-5
    terms = re.findall(r"mask_supervision: (\S+)", printed)
    assert float(terms[1]) < float(terms[0])
    model = keras.saving.load_model(figure.with_suffix(".keras"))
    assert [float(layer.gate) for layer in keras_lap.lap_layers(model)] == [1.0]
    assert not model.compiled
    # What was frozen for the teaching can be trained again.
    assert model.get_layer("mobilenet_1.00_64").get_layer("conv_preds").trainable
