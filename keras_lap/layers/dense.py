"""The dense layer of a score head."""

from keras import layers


class Dense(layers.Dense):
    """Keras' dense layer, which keeps its floats in a model that is quantised.

    A score head makes its dense layers anew when it is loaded or copied, and would not
    know that they were quantised. It has the name of Keras' own because files go by the
    names of classes.
    """

    def quantize(self, mode=None, **kwargs):
        """Raises a `NotImplementedError`, which `keras.Model.quantize` warns of."""
        raise NotImplementedError(
            f"The layer {self.path!r} scores concepts in floats and is not quantised."
        )
