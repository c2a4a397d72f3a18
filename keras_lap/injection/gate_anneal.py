"""Opening the gate of converted layers during training."""

import math

import keras
from keras import ops

from keras_lap.graph.lap_layers import lap_layers
from keras_lap.injection.are_in_order import are_in_order
from keras_lap.injection.fit_callback import FitCallback
from keras_lap.layers.gate_warning import ClosedGateWarning, gates_of
from keras_lap.utils.names import check_choice
from keras_lap.utils.warn import warn

SCHEDULES = {
    "linear": lambda progress: progress,
    "cosine": lambda progress: (1 - math.cos(math.pi * progress)) / 2,
}
# By how much a gate of half precision may be rounded.
_ROUNDING = 1e-2


class GateAnneal(FitCallback):
    """Takes the gate of every LAP layer with a base branch from 0 to 1.

    At 0 a layer is the pooling that stood there before, at 1 it is LAP alone. The
    gate is a variable, so nothing is traced anew. It moves after every step, so that
    an epoch ends with the gate of the next, as what other callbacks save then. Where
    `fit` does not know the number of steps beforehand, as with a generator, it moves
    after every epoch: list it before `ModelCheckpoint` there.

    A gate never closes: one that is open further than the schedule says stays as it
    is, so that a second `fit`, whose epochs count from zero again, goes on with what
    the first has led to. To start over, assign 0 to the gates of the layers.

    After a training it warns of gates that were open further: list it behind callbacks
    that bring back earlier weights then, as `EarlyStopping(restore_best_weights=True)`
    does.

    Epochs are those of `fit`: in a loop of `fit(epochs=1)` each one is the first, and
    the gate never gets further than `value(1)`. Pass the loop's own count, as
    `fit(epochs=n + 1, initial_epoch=n)`. A `fit` of several epochs that ends before
    the gate is open is warned of as it begins.

    Args:
        start: Epoch, counted from zero and possibly fractional, until which the
            gate stays at 0.
        end: Epoch from which it stays at 1.
        schedule: `"linear"` or `"cosine"`.

    Raises:
        ValueError: If the epochs are not in order, the schedule is unknown, or the
            model is not built or has no LAP layer with a base branch.

    Example:

    >>> import keras, numpy as np, keras_lap
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((4, 4, 1)),
    ...         keras_lap.GlobalLAPooling2D(base="avg", name="pool"),
    ...     ]
    ... )
    >>> model.compile("sgd", "mse")
    >>> x, y = np.zeros((2, 4, 4, 1)), np.zeros((2, 1))
    >>> anneal = keras_lap.callbacks.GateAnneal(end=2, schedule="linear")
    >>> history = model.fit(x, y, verbose=0, callbacks=[anneal])
    >>> float(model.get_layer("pool").gate.value)
    0.5
    """

    def __init__(self, start=0.0, end=1.0, schedule="cosine"):
        super().__init__()
        if not are_in_order(0, start, end):
            raise ValueError(
                "Expected epochs, numbers with 0 <= start <= end. "
                f"Received: start={start!r}, end={end!r}"
            )
        check_choice("schedule", schedule, sorted(SCHEDULES))
        self.start = start
        self.end = end
        self.schedule = schedule

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        layers = [layer for layer in lap_layers(self.model) if layer.base]
        unbuilt = [layer.name for layer in layers if not layer.built]
        if unbuilt or not (layers or self.model.built):
            problem = "without LAP layers so far"
            if unbuilt:
                problem = f"whose LAP layers {unbuilt} are not built"
            raise ValueError(
                "Expected a built model: begin it with a `keras.Input`, or call it on "
                f"a batch. Received: {self.model.name!r}, not built, {problem}"
            )
        if not layers:
            raise ValueError(
                "Expected a model with LAP layers that have a base branch to fade "
                "out. Received a model without any: make one with "
                "`keras_lap.convert(model)`, or leave GateAnneal out."
            )
        self._layers = layers
        self._epoch, self._written = None, 0.0

    def on_epoch_begin(self, epoch, logs=None):
        if self._epoch is None:
            self._warn_of_early_end(epoch)
        self._epoch = epoch
        # Another callback may have brought back earlier weights.
        self._written = None
        self._write(epoch)

    def on_train_batch_end(self, batch, logs=None):
        steps = self.params_of_fit.get("steps")
        if steps:
            # The last of several steps at once may be one that there is not.
            self._write(self._epoch + min((batch + 1) / steps, 1))

    def on_test_begin(self, logs=None):
        super().on_test_begin(logs)
        if self.is_validating:
            # It sees what the epoch has led to.
            self._write(self._epoch + 1)

    def on_epoch_end(self, epoch, logs=None):
        self._write(epoch + 1)

    def on_train_end(self, logs=None):
        super().on_train_end(logs)
        lowest = min(gates_of(self._layers))
        if lowest < self._written - _ROUNDING:
            warn(
                f"The gates were at {self._written:.3g} of 1, and the lowest is at "
                f"{lowest:.3g} now: another callback has brought back earlier weights, "
                "as `EarlyStopping(restore_best_weights=True)` does. As far as a gate "
                "is closed, the base pooling decides, and maps show what the scores "
                "would let through. Let it choose among epochs with open gates, as by "
                f"its `start_from_epoch={math.ceil(self.end)}`.",
                ClosedGateWarning,
            )

    def value(self, epoch):
        """The gate at a (fractional) epoch, in `[0, 1]`."""
        if epoch >= self.end:
            return 1.0
        if epoch <= self.start:
            return 0.0
        progress = (epoch - self.start) / (self.end - self.start)
        return SCHEDULES[self.schedule](progress)

    def _warn_of_early_end(self, epoch):
        last = self.params_of_fit.get("epochs", epoch)
        reached = max(self.value(last), min(gates_of(self._layers)))
        # A loop of fits of one epoch each goes on.
        if reached < 1 and last - epoch > 1:
            warn(
                f"GateAnneal opens the gates by epoch {self.end:g}, and `fit` ends "
                f"after epoch {last}, where they are at {reached:.3g} of 1. As far as "
                "a gate is closed, the base pooling decides, and maps show what the "
                f"scores would let through. Give an `end` of at most {last}, or train "
                "for more epochs.",
                ClosedGateWarning,
            )

    def _write(self, epoch):
        value = self.value(epoch)
        if value == self._written:
            return
        if keras.config.backend() == "jax":
            # During an epoch the values are elsewhere than in the variables.
            self.model.jax_state_sync()
        for layer in self._layers:
            layer.gate.assign(ops.maximum(layer.gate, value))
        self._written = value
