"""What a model's outputs mean, by the loss that it is compiled with."""

import keras
from keras import losses, tree

_SIGMOID = (
    losses.BinaryCrossentropy,
    losses.BinaryFocalCrossentropy,
    losses.binary_crossentropy,
    losses.binary_focal_crossentropy,
)
_SOFTMAX = (
    losses.CategoricalCrossentropy,
    losses.CategoricalFocalCrossentropy,
    losses.KLDivergence,
    losses.SparseCategoricalCrossentropy,
    losses.categorical_crossentropy,
    losses.categorical_focal_crossentropy,
    losses.kl_divergence,
    losses.sparse_categorical_crossentropy,
)
_HINGE = (
    losses.CategoricalHinge,
    losses.Hinge,
    losses.SquaredHinge,
    losses.categorical_hinge,
    losses.hinge,
    losses.squared_hinge,
)
_KINDS = {"sigmoid": _SIGMOID, "softmax": _SOFTMAX, "hinge": _HINGE}


def compiled_outputs(model):
    """What the loss that a model is compiled with says of its classes.

    Args:
        model: A compiled `keras.Model`.

    Returns:
        `"sigmoid"`, independent classes, for a binary cross-entropy of Keras;
        `"softmax"`, one class out of several, for its categorical cross-entropies, the
        focal one among them, and the Kullback-Leibler divergence; `"hinge"`, classes
        whose absence is 0 or -1, for its hinge losses; `None` for any other loss, which
        does not tell. Of losses of several kinds those named here first count.

    Example:

    >>> import keras
    >>> from keras_lap.injection.losses.compiled_outputs import compiled_outputs
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    >>> compiled_outputs(model)
    'softmax'
    """
    compiled = [
        keras.losses.get(loss) if isinstance(loss, str) else loss
        for loss in tree.flatten(model.loss)
    ]
    for outputs, known in _KINDS.items():
        if any(loss in known or isinstance(loss, _classes(known)) for loss in compiled):
            return outputs
    return None


def _classes(known):
    return tuple(one for one in known if isinstance(one, type))
