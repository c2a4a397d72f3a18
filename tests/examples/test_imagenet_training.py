"""The training at scale runs on drawn data, alone and with several replicas."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_lap
from keras_lap.datasets import ClutteredDigits, ClutteredDigitsConfig, load


@pytest.fixture(autouse=True)
def training(monkeypatch):
    import imagenet_training

    def small(name, image_size, classes):
        image = keras.Input((image_size, image_size, 3))
        x = keras.layers.Rescaling(1 / 255, dtype="float32")(image)
        x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(x)
        x = keras.layers.GlobalAveragePooling2D()(x)
        x = keras.layers.Dense(classes, activation="softmax", dtype="float32")(x)
        return keras.Model(image, x, name=name)

    # What the networks of keras.applications become is tested with the photos.
    monkeypatch.setattr(imagenet_training, "application_network", small)
    # Every explained image gets a map for the label of each of them.
    monkeypatch.setattr(imagenet_training, "EXPLAINED", 2)
    return imagenet_training


def arguments(folder, *more):
    small = ("--mock", "--image-size=16", "--batch-size=4", "--steps=2")
    return [*small, f"--folder={folder}", *more]


@pytest.mark.parametrize("name", ["oxford_iiit_pet", "caltech_birds2011"])
def test_what_is_drawn_fits(name, training):
    with training.drawn_examples(3):
        images, targets = next(iter(load(name, image_size=(40, 40), batch_size=3)))
    assert images.shape == (3, 40, 40, 3)
    mask = targets["mask"].numpy() > 0.5
    assert mask.any(axis=(1, 2)).all()
    if "boxes" not in targets:
        return
    for inside, (box,) in zip(mask, targets["boxes"].numpy(), strict=True):
        rows, columns = np.nonzero(inside)
        edges = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        np.testing.assert_allclose(box * 40, edges, atol=1)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "data, term",
    [
        # Masks are learnt from with the fast settings too.
        pytest.param("oxford_iiit_pet", "mask_supervision", marks=pytest.mark.thorough),
        ("caltech_birds2011", "box_supervision"),
    ],
)
def test_data_that_know_more_than_the_label(data, term, training, tmp_path, capsys):
    training.main(arguments(tmp_path, f"--data={data}", "--monitor"))
    printed = capsys.readouterr().out
    assert f"val_{term}: " in printed
    assert "images per second" in printed
    model = keras.saving.load_model(tmp_path / "best.keras")
    assert [float(layer.gate) for layer in keras_lap.lap_layers(model)] == [1.0]
    figures = [tmp_path / "maps.png", tmp_path / "maps" / "epoch_0001.png"]
    assert all(figure.read_bytes().startswith(b"\x89PNG") for figure in figures)
    assert any((tmp_path / "logs").rglob("events.out.*"))


def test_fast_settings(training, tmp_path):
    fast = ("--precision=mixed_bfloat16", "--steps-per-execution=2")
    options = ("--data=oxford_iiit_pet", "--strategy=mirrored", *fast)
    training.main(arguments(tmp_path, *options))
    assert keras.config.dtype_policy().name == "float32"
    model = keras.saving.load_model(tmp_path / "best.keras")
    (convolution,) = (x for x in model.layers if isinstance(x, keras.layers.Conv2D))
    assert convolution.compute_dtype == "bfloat16"


@pytest.mark.parametrize("options, compiled", [([], False), (["--xla"], True)])
def test_steps_are_compiled_if_asked_for(options, compiled, training):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    training.compile_model(model, 1, training.parse_arguments(options))
    assert model.jit_compile is compiled


@pytest.mark.usefixtures("eager")
def test_goes_on_where_it_was_stopped(training, tmp_path, monkeypatch, capsys):
    class Stop(training.Throughput):
        def on_epoch_begin(self, epoch, logs=None):
            super().on_epoch_begin(epoch, logs)
            if epoch == 1:
                raise KeyboardInterrupt

    options = arguments(tmp_path, "--epochs=2")
    with monkeypatch.context() as stopped, pytest.raises(KeyboardInterrupt):
        stopped.setattr(training, "Throughput", Stop)
        training.main(options)
    capsys.readouterr()
    training.main(options)
    printed = capsys.readouterr().out
    assert "Epoch 2/2" in printed
    assert "Epoch 1/2" not in printed


@pytest.mark.parametrize(
    "jobs, task, place",
    [
        ({"worker": 3}, ("worker", 2), (2, 3)),
        ({"chief": 1, "worker": 2}, ("chief", 0), (0, 3)),
        ({"chief": 1, "worker": 2}, ("worker", 0), (1, 3)),
        ({"chief": 1}, ("chief", 0), (0, 1)),
    ],
)
def test_places_among_workers(jobs, task, place, training, monkeypatch):
    cluster = {job: ["a:1"] * count for job, count in jobs.items()}
    config = {"cluster": cluster, "task": {"type": task[0], "index": task[1]}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    assert training.place("multi_worker") == place
    assert training.place("mirrored") == (0, 1)


def test_workers_have_to_know_of_each_other(training):
    with pytest.raises(SystemExit, match="Expected TF_CONFIG"):
        training.place("multi_worker")


def test_workers_share_the_images(training, tmp_path):
    config = ClutteredDigitsConfig(name="seven", train=1, validation=1, test=7)
    builder = ClutteredDigits(config=config, data_dir=tmp_path)
    builder.download_and_prepare()
    options = training.parse_arguments(["--image-size=64", "--batch-size=2"])

    def images(worker, workers):
        data = training.batches(builder, "test", options, worker, workers)
        policy = data.options().experimental_distribute.auto_shard_policy
        assert policy == tf.data.experimental.AutoShardPolicy.OFF
        return {image.tobytes() for image, _ in data.unbatch().as_numpy_iterator()}

    shares = [images(worker, 3) for worker in range(3)]
    # All as many, so one image is left out.
    assert [len(share) for share in shares] == [2, 2, 2]
    assert len(set.union(*shares)) == 6
    assert set.union(*shares) < images(0, 1)
