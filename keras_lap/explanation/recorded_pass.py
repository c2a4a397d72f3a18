"""Forward passes that also tell what the LAP layers computed."""

import contextlib
import textwrap
import traceback

import keras

from keras_lap.layers.score_tape import ScoreRecord, score_tape
from keras_lap.utils.compiled import compiled
from keras_lap.utils.warn import warn

# How many characters are told of why a model cannot be compiled.
_LENGTH = 300


def recorded_pass(model):
    """The forward pass of a model, operation by operation.

    Args:
        model: A built model.

    Returns:
        A function from what the model takes, of a batch of images, to a tuple: what it
        returns in inference mode, and its list of `ScoreRecord`.
    """

    def forward(inputs):
        with _without_gradients(), score_tape() as records:
            outputs = model(inputs, training=False)
        return outputs, records

    return forward


def _without_gradients():
    """Keeps torch, which otherwise always does, from keeping what gradients take."""
    if keras.config.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()


def compiled_pass(model):
    """The forward pass of a model as one function of the backend.

    It is traced on TensorFlow and compiled on JAX, at the first call and again for
    other shapes of images; from then on it takes about as long as a prediction. On
    torch it runs operation by operation, and so do models with `run_eagerly` and those
    that Keras does not compile on JAX. If the compiled function ever fails on images
    that the model accepts, a warning says so and the pass runs operation by operation
    from then on. The weights are read at each call.

    Args:
        model: A built model.

    Returns:
        A function as of `recorded_pass`.
    """
    forward = recorded_pass(model)
    backend = keras.config.backend()
    compiles = backend == "tensorflow" or (backend == "jax" and model.jit_compile)
    if model.run_eagerly or not compiles:
        return forward
    return _CompiledPass(forward, model.variables)


class _CompiledPass:
    """A pass that is compiled, and what is noted of it while it is traced.

    Args:
        forward: A function of `recorded_pass`.
        variables: The variables that it reads.
    """

    def __init__(self, forward, variables):
        self._forward = forward
        self._run = compiled(self._tensors, variables, any_batch=True)
        self._names, self._calls = None, []
        self._can_be_traced = True

    def __call__(self, inputs):
        if not self._can_be_traced:
            return self._forward(inputs)
        try:
            return self._traced(inputs)
        except Exception as error:
            # Layers of users raise anything when they cannot be traced.
            reason = _reason(error)
        # What is wrong with images is said as if nothing had been traced, and no
        # reason to do without for the next ones.
        result = self._forward(inputs)
        self._can_be_traced = False
        warn(
            "The model cannot be compiled, and runs operation by operation, which "
            f"takes longer. {reason}",
        )
        return result

    def _traced(self, inputs):
        outputs, attention, logits = self._run(inputs)
        if self._names is not None:
            outputs = dict(zip(self._names, outputs, strict=True))
        logits = iter(logits)
        records = [
            ScoreRecord(layer, next(logits) if has_logits else None, seen)
            for (layer, has_logits), seen in zip(self._calls, attention, strict=True)
        ]
        return outputs, records

    def _tensors(self, inputs):
        outputs, records = self._forward(inputs)
        if isinstance(outputs, dict):
            # JAX would sort it.
            self._names, outputs = [*outputs], [*outputs.values()]
        self._calls = [(each.layer, each.logits is not None) for each in records]
        logits = [each.logits for each in records if each.logits is not None]
        return outputs, [each.attention for each in records], logits


def _reason(error):
    """What stopped the pass, and in which layer: Keras reports it by new errors."""
    # Reports are raised `from` what they report. What else an error was raised in the
    # course of had been caught by then.
    while error.__suppress_context__ and (told := error.__cause__ or error.__context__):
        error = told
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    callers = [frame.f_locals.get("self") for frame in frames]
    layers = [each for each in callers if isinstance(each, keras.layers.Layer)]
    where = "".join(f" in {each.name!r}" for each in layers[-1:])
    kind, text = type(error).__name__, textwrap.shorten(str(error), _LENGTH)
    return f"{kind}{where}: {text}"
