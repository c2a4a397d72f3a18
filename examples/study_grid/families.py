"""Small networks out of three families of Keras Applications."""

from dataclasses import dataclass, field

import keras
from keras import layers


@dataclass(frozen=True)
class Family:
    """The front of a network of Keras Applications.

    Attributes:
        name: Its class in `keras.applications`.
        last_layer: Name of the layer whose features are classified.
        options: Arguments of the class.
        is_raw: Whether its blocks leave normalisation and ReLU to the next one.
        wants_large: Whether the class refuses images as small as these.
    """

    name: str
    last_layer: str
    options: dict = field(default_factory=dict)
    is_raw: bool = False
    wants_large: bool = False

    def build(self, image_size, outputs, activation, seed):
        """A network with the same initial weights whenever the seed is the same.

        Args:
            image_size: Height and width of the images.
            outputs: Number of classes.
            activation: `"softmax"`, or `"sigmoid"` for several classes at once.
            seed: Seed of the weights.

        Returns:
            A model from images `(N, size, size, 3)` in `[0, 255]` to probabilities
            `(N, outputs)`.
        """
        keras.utils.set_random_seed(seed)
        shape = (image_size, image_size, 3)
        full = getattr(keras.applications, self.name)(
            include_top=False,
            weights=None,
            input_shape=(None, None, 3) if self.wants_large else shape,
            **self.options,
        )
        features = full.get_layer(self.last_layer).output
        front = keras.Model(full.input, features, name=self.name.lower())
        if self.wants_large:
            front = keras.models.clone_model(front, input_tensors=keras.Input(shape))
        for layer in front.layers:
            if isinstance(layer, layers.BatchNormalization):
                # Keras' 0.99 lags behind in runs of a few hundred steps.
                layer.momentum = 0.9
        image = keras.Input(shape, name="image")
        x = front(layers.Rescaling(1 / 127.5, offset=-1)(image))
        if self.is_raw:
            x = layers.BatchNormalization(momentum=0.9, name="post_bn")(x)
            x = layers.ReLU(name="post_relu")(x)
        x = layers.GlobalAveragePooling2D(name="head_pool")(x)
        x = layers.Dense(outputs, name="classifier")(x)
        x = layers.Activation(activation, name="probabilities")(x)
        return keras.Model(image, x, name=f"{self.name.lower()}_classifier")


FAMILIES = {
    family.name: family
    for family in (
        # Max pooling, twice, down to maps of 5 x 5. VGG16 does not learn anything
        # within these few steps, DenseNet121 little.
        Family("InceptionV3", "mixed0", wants_large=True),
        # Residual.
        Family("ResNet50V2", "conv3_block1_out", is_raw=True),
        # Depthwise.
        Family("MobileNetV2", "block_6_expand_relu"),
    )
}
