"""Models to convert, and whether the result computes the same."""

import keras
import numpy as np
from keras import layers, ops
from networks import classifier
from tolerances import assert_close

TOLERANCE = {"rtol": 1e-5, "atol": 2e-6}


def random_inputs(model, rng, spatial=23):
    def array(tensor):
        shape = [2, *(size or spatial for size in tensor.shape[1:])]
        return rng.normal(size=shape).astype(tensor.dtype)

    sequential = isinstance(model, keras.Sequential)
    structure = model.inputs[0] if sequential else model.input
    return keras.tree.map_structure(array, structure)


def assert_same_function(converted, model, rng, spatial=23, **tolerance):
    inputs = random_inputs(model, rng, spatial)
    actual, expected = (keras.tree.flatten(m(inputs)) for m in (converted, model))
    for one, other in zip(actual, expected, strict=True):
        assert_close(one, other, **{**TOLERANCE, **tolerance})


def small_model():
    x = inputs = keras.Input((24, 24, 3))
    x = layers.Conv2D(4, 3, strides=2, padding="same", name="conv")(x)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.MaxPooling2D(name="pool")(x)
    return classifier(inputs, layers.Conv2D(6, 3, name="last")(x))


class RandomGraph:
    """Draws a Functional model of convolutions, poolings and everything around."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.shared = layers.Conv2D(4, 3, padding="same", name="shared")
        self.shared_pool = layers.MaxPooling2D(3, strides=1, padding="same")

    def model(self):
        size = tuple(int(n) for n in self.rng.integers(17, 32, 2))
        x = inputs = keras.Input((*size, 3))
        x = layers.Conv2D(4, 3, name="stem")(x)
        blocks = [
            self.pooling,
            self.padded_pooling,
            self.convolution,
            self.residual,
            self.branches,
            self.gate,
            self.nested,
            self.twice,
        ]
        for i in self.rng.permutation(len(blocks))[:5]:
            x = blocks[i](x)
        x = ops.relu(x * 2.0)
        head = self.pick(
            layers.GlobalAveragePooling2D(),
            layers.GlobalMaxPooling2D(keepdims=True),
        )
        return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(head(x))))

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def padding(self, x):
        return "same" if min(x.shape[1:3]) < 4 else self.pick("same", "valid")

    def pooling(self, x):
        kind = self.pick(layers.MaxPooling2D, layers.AveragePooling2D)
        size, strides = self.rng.integers(1, 4, 2).tolist()
        return kind(size, strides=strides, padding=self.padding(x))(x)

    def padded_pooling(self, x):
        x = layers.ZeroPadding2D(self.pick(1, 2, ((0, 1), (1, 0))))(x)
        y = self.pooling(x)
        if self.pick(True, False):
            return y
        return y + layers.Dense(1)(layers.GlobalMaxPooling2D(keepdims=True)(x))

    def convolution(self, x):
        kind = self.pick(layers.Conv2D, layers.SeparableConv2D)
        kernel = int(self.rng.integers(1, 5))
        x = kind(4, kernel, strides=2, padding=self.padding(x))(x)
        return layers.ReLU()(layers.BatchNormalization()(x))

    def residual(self, x):
        short = layers.Conv2D(6, 1, strides=2, use_bias=False)(x)
        x = layers.Conv2D(4, 1, strides=2)(x)
        x = layers.Conv2D(6, 3, padding="same", activation="tanh")(x)
        return layers.Conv2D(4, 1)(layers.Add()([x, short]))

    def branches(self, x):
        left = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        right = layers.DepthwiseConv2D(3, strides=2, padding="same")(x)
        even = layers.AveragePooling2D(2, strides=1, padding="same")(left)
        return layers.Conv2D(4, 1)(layers.Concatenate()([left, right, even]))

    def gate(self, x):
        gate = layers.GlobalAveragePooling2D(keepdims=self.pick(True, False))(x)
        gate = layers.Reshape((1, 1, 4))(layers.Dense(4, activation="sigmoid")(gate))
        return layers.Multiply()([x, gate])

    def nested(self, x):
        inner = keras.Sequential(
            [layers.MaxPooling2D(2), layers.BatchNormalization()], name="inner"
        )
        y = inputs = keras.Input((None, None, 4))
        y = inner(y)
        y = layers.Conv2D(4, self.pick(1, 2), strides=2, padding="same")(y)
        outer = keras.Model(inputs, y, name="outer")
        return outer(x, training=False)

    def twice(self, x):
        x = self.shared_pool(self.shared(x))
        return self.shared_pool(self.shared(x))
