"""The demo's network: the front of a Keras Applications backbone with a classifier."""

import keras
from keras import layers

LAST_BLOCK = "conv3_block1_out"
BATCH_SIZE = 32
SHAPE = 64, 64, 3


def build_backbone(weights=None):
    """ResNet50V2 up to its first block of stride 8, with a classifier on top.

    Deeper stages would leave 4x4 and 2x2 maps of a 64x64 image.

    Args:
        weights: `None`, or `"imagenet"`, which Keras downloads.

    Returns:
        A model from images `(N, 64, 64, 3)` in `[0, 255]` to probabilities `(N, 10)`.
    """
    full = keras.applications.ResNet50V2(
        include_top=False, weights=weights, input_shape=SHAPE
    )
    stem = keras.Model(full.input, full.get_layer(LAST_BLOCK).output, name="resnet")
    for layer in stem.layers:
        if isinstance(layer, layers.BatchNormalization):
            # Keras' 0.99 lags behind in runs of a few hundred steps.
            layer.momentum = 0.9
    image = keras.Input(SHAPE, name="image")
    x = stem(layers.Rescaling(1 / 127.5, offset=-1)(image))
    x = layers.BatchNormalization(momentum=0.9, name="post_bn")(x)
    x = layers.ReLU(name="post_relu")(x)
    x = layers.GlobalAveragePooling2D(name="head_pool")(x)
    x = layers.Dense(10, activation="softmax", name="classifier")(x)
    return keras.Model(image, x, name="digit_classifier")


def compile_for_digits(model, epochs, examples, learning_rate=1e-3):
    """Compiles a classifier with Adam and a learning rate that falls to zero.

    Args:
        model: A classifier with integer labels.
        epochs: Number of epochs that it will be trained for.
        examples: Number of examples of an epoch.
        learning_rate: Learning rate of the first step.
    """
    steps = epochs * -(-examples // BATCH_SIZE)
    model.compile(
        optimizer=keras.optimizers.Adam(
            keras.optimizers.schedules.CosineDecay(learning_rate, steps)
        ),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
