"""Trains on replicas, saves history, weights and gate, and reads what was trained.

Arguments are the files to write: the first for one device and the second for two, or a
single one for a worker, which finds the others by the environment variable `TF_CONFIG`.
"""

import contextlib
import sys

import keras
import numpy as np
import tensorflow as tf
from effort import THOROUGH
from keras import layers

from keras_lap import LAPooling2D, explain
from keras_lap.callbacks import GateAnneal, KnowledgeInjection
from keras_lap.evaluation.outputs import raw_outputs
from keras_lap.losses import MaskSupervision, Presence, RightReasons

SAMPLES, SIZE, CLASSES = 17, 8, 3
KNOWN = ("label", "mask") if THOROUGH else ("mask",)


def main(*paths):
    if len(paths) == 1:
        strategies = [tf.distribute.MultiWorkerMirroredStrategy()]
    else:
        replicas = two_replicas()  # TensorFlow must not have used the devices yet.
        strategies = [None, replicas]
    for strategy, path in zip(strategies, paths, strict=True):
        found = {}
        for known in KNOWN:
            model, history = fit(strategy, known)
            weights = {f"weight {i}": w for i, w in enumerate(model.get_weights())}
            values = history | weights
            found |= {f"{known} {name}": value for name, value in values.items()}
        np.savez(path, **found)
    if len(paths) > 1:
        read(model, replicas)


def two_replicas():
    # A layer that is not built yet leaves TensorFlow's devices open to configuration.
    LAPooling2D(2)
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, devices)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    return strategy


def make_data(known):
    """Batches of four, and a last one of one, of labels alone or with some masks.

    The last sample has no weight: Keras averages over replicas, however many samples
    each has seen.
    """
    rng, label = np.random.default_rng(0), np.arange(SAMPLES) % CLASSES
    x = rng.normal(size=(SAMPLES, SIZE, SIZE, 1)).astype("float32")
    targets = {
        "label": label,
        "mask": rng.choice([0.0, 1.0], (SAMPLES, SIZE, SIZE)),
        "valid": {"mask": label > 0},
    }
    targets = label if known == "label" else targets
    options = tf.data.Options()
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    weights = np.float32(np.arange(SAMPLES) < SAMPLES - 1)
    data = tf.data.Dataset.from_tensor_slices((x, targets, weights)).batch(4)
    return data.with_options(options)


def make_injection(known):
    if known == "label":
        return KnowledgeInjection([Presence()], 0.1)
    losses = [Presence(), MaskSupervision(), RightReasons()]
    return KnowledgeInjection(losses, 0.1, warmup=[0, 1.5, 0], balance="uncertainty")


def fit(strategy, known):
    """A model trained for two epochs, on one device eagerly, and its history."""
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
            run_eagerly=strategy is None,
        )
    data = make_data(known)
    history = model.fit(
        data,
        epochs=2,
        verbose=0,
        validation_data=data,
        callbacks=[make_injection(known), GateAnneal(end=2)],
    ).history
    return model, history


def read(model, replicas):
    """The model of the replicas is read as any other, each image once."""
    x = np.random.default_rng(1).normal(size=(6, SIZE, SIZE, 1)).astype("float32")
    outputs, maps = model.predict(x, verbose=0), explain(model, x, verbose=0).maps
    np.testing.assert_allclose(raw_outputs(model, x, 4), outputs, rtol=1e-5)
    with replicas.scope():
        again = explain(model, x, batch_size=1, verbose=0)
    np.testing.assert_allclose(again.maps, maps, rtol=1e-5)
    np.testing.assert_allclose(again.predictions, outputs, rtol=1e-5)


if __name__ == "__main__":
    main(*sys.argv[1:])
