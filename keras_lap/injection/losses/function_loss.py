"""A loss that is a plain function."""

import inspect

import keras

from keras_lap.injection.losses.knowledge_loss import KnowledgeLoss

_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_BY_NAME = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@keras.saving.register_keras_serializable("keras_lap")
class FunctionLoss(KnowledgeLoss):
    """A function of the logits, and of the knowledge that its parameters name.

    `KnowledgeInjection` makes one of every function in its list. It is saved along
    if the function is registered with Keras.

    Args:
        fn: Function `fn(logits, ...)` to float `(N,)`. Its other parameters are names
            of knowledge as in `KnowledgeLoss.needs`, or, with a default, as in
            `KnowledgeLoss.accepts`.
        name: Name of the term in the logs; by default the function's.

    Raises:
        ValueError: If the function has no name of its own and none is given, or takes
            no logits, or arguments without a name.

    Call arguments:
        logits: `(N, H, W, K)`.
        **knowledge: One tensor per parameter of the function.

    Returns:
        float32 tensor `(N,)`.

    Example:

    >>> import keras, numpy as np
    >>> from keras_lap import losses
    >>> def few_present(logits, present):
    ...     shares = keras.ops.mean(keras.ops.sigmoid(logits), axis=(1, 2))
    ...     return keras.ops.max(keras.ops.where(present > 0, shares, 0), axis=-1)
    >>> loss = losses.FunctionLoss(few_present)
    >>> loss.name, loss.needs
    ('few_present', ('present',))
    >>> float(loss(np.zeros((1, 4, 4, 2)), present=np.array([[0, 1]]))[0])
    0.5
    """

    def __init__(self, fn, name=None):
        name = name or getattr(fn, "__name__", "")
        if not name.isidentifier():
            raise ValueError(
                "Expected a function with a name: give `FunctionLoss(fn, name=...)`. "
                f"Received: {fn!r}"
            )
        super().__init__(name)
        self.fn = fn
        signature = inspect.signature(fn)
        parameters = list(signature.parameters.values())
        logits, parameters = parameters[:1], parameters[1:]
        by_place = any(p.kind in _BY_PLACE for p in logits)
        if not by_place or any(p.kind not in _BY_NAME for p in parameters):
            raise ValueError(
                "Expected a function of the logits, whose other parameters name the "
                f"knowledge it takes. Received: {name}{signature}"
            )
        required = [p for p in parameters if p.default is p.empty]
        self.needs = tuple(p.name for p in required)
        self.accepts = tuple(p.name for p in parameters if p not in required)

    def call(self, logits, **knowledge):
        return self.fn(logits, **knowledge)

    def get_config(self):
        fn = keras.saving.serialize_keras_object(self.fn)
        return {**super().get_config(), "fn": fn}

    @classmethod
    def from_config(cls, config):
        fn = keras.saving.deserialize_keras_object(config["fn"])
        return cls(**{**config, "fn": fn})
