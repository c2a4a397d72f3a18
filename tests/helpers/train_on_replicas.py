"""Trains on one device, two replicas or one of two workers, and saves what came out.

Arguments: `one`, `replicas` or `worker`, and the file to write. A worker finds the
others by the environment variable `TF_CONFIG`.
"""

import contextlib
import sys

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_lap import LAPooling2D
from keras_lap.callbacks import GateAnneal, KnowledgeInjection
from keras_lap.losses import MaskSupervision, Presence, RightReasons

SAMPLES, SIZE, CLASSES = 18, 8, 3


def main(kind, path):
    strategy = make_strategy(kind)
    np.savez(
        path,
        **{
            f"{name} {key}": values
            for name, fit in FITS.items()
            for key, values in fit(strategy).items()
        },
    )


def make_strategy(kind):
    if kind == "one":
        return None
    if kind == "worker":
        return tf.distribute.MultiWorkerMirroredStrategy()
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, devices)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    return strategy


def fit_with_labels(strategy):
    return fit(strategy, as_data(*images_and_labels()), [Presence()])


def fit_with_knowledge(strategy):
    x, label = images_and_labels()
    targets = {
        "label": label,
        "mask": np.random.default_rng(1).choice([0.0, 1.0], (SAMPLES, SIZE, SIZE)),
        "valid": {"mask": label > 0},
    }
    losses = [Presence(), MaskSupervision(), RightReasons()]
    options = {"warmup": [0, 1.5, 0], "balance": "uncertainty"}
    return fit(strategy, as_data(x, targets), losses, **options)


FITS = {"labels": fit_with_labels, "knowledge": fit_with_knowledge}


def images_and_labels():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SAMPLES, SIZE, SIZE, 1)).astype("float32")
    return x, np.arange(SAMPLES) % CLASSES


def as_data(x, y):
    """Batches of four, and a last one of two."""
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(4)
    return data.with_options(options)


def fit(strategy, data, losses, **options):
    """History, weights and gate of a model trained for two epochs."""
    keras.utils.set_random_seed(0)
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        model = keras.Sequential(
            [
                keras.Input((SIZE, SIZE, 1)),
                LAPooling2D(2, concepts=CLASSES, initial_score=0.5, base="max"),
                layers.Flatten(),
                layers.Dense(CLASSES, activation="softmax"),
            ]
        )
        model.compile(
            keras.optimizers.SGD(0.05),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,
        )
    history = model.fit(
        data,
        epochs=2,
        verbose=0,
        validation_data=data,
        callbacks=[KnowledgeInjection(losses, 0.1, **options), GateAnneal(end=2)],
    ).history
    weights = {f"weight {i}": w for i, w in enumerate(model.get_weights())}
    return {**history, **weights}


if __name__ == "__main__":
    main(*sys.argv[1:])
