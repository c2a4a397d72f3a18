"""`KnowledgeInjection` on two replicas trains as on one device."""

import os
import subprocess
import sys

import numpy as np
from tolerances import assert_close

TRAIN = """
import contextlib, sys
import keras, numpy as np, tensorflow as tf
from keras import layers, ops
from keras_lap import LAPooling2D
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import InputGradientLoss, Presence

class Sensitivity(InputGradientLoss):
    def explained(self, predictions):
        return ops.log(predictions)

    def call(self, gradient):
        return ops.sum(ops.square(gradient), axis=(1, 2, 3))

cpu = tf.config.list_physical_devices("CPU")[0]
devices = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, devices)
rng = np.random.default_rng(0)
x, label = rng.normal(size=(8, 8, 8, 1)).astype("float32"), np.arange(8) % 3
data = tf.data.Dataset.from_tensor_slices((x, label)).batch(4)
two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert two.num_replicas_in_sync == 2

results = []
for scope in (contextlib.nullcontext(), two.scope()):
    keras.utils.set_random_seed(0)
    with scope:
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                LAPooling2D(2, concepts=3, initial_score=0.5),
                layers.Flatten(),
                layers.Dense(3, activation="softmax"),
            ]
        )
        loss = "sparse_categorical_crossentropy"
        model.compile(keras.optimizers.SGD(0.05), loss, jit_compile=False)
    injection = KnowledgeInjection([Presence(), Sensitivity()])
    logs = model.fit(data, verbose=0, callbacks=[injection]).history
    logs = [np.ravel(logs[name]) for name in sorted(logs)]
    results.append(np.concatenate([*logs, *map(np.ravel, model.get_weights())]))
np.save(sys.argv[1], results)
"""


def test_two_replicas_train_as_one(tmp_path):
    path = tmp_path / "results.npy"
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    subprocess.run([sys.executable, "-c", TRAIN, path], check=True, env=environment)
    one, two = np.load(path)
    assert_close(two, one, rtol=1e-4, atol=1e-6)
