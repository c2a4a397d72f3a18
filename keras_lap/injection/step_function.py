"""One step of `fit` or `evaluate` with something added to it."""

import contextlib
import functools


class StepFunction:
    """A compiled step that takes the place of a model's own one for a single call.

    `stand_in` is for the hook at the beginning of a batch: it makes the model use
    this function next. The call puts the model's own function back before it does
    anything else, so between the steps the model is as it was, whatever fails.

    Args:
        model: A compiled `keras.Model`.
        kind: `"train"` or `"test"`.
        wrap_step: Takes `model.train_step` or `model.test_step` and returns the step
            to run.
        compute_loss: Replaces `model.compute_loss` during the step, and takes it
            as its first argument.

    Attributes:
        own: The model's own function, for which this one stands in.
    """

    def __init__(self, model, kind, wrap_step, compute_loss):
        self._model = model
        self._compute_loss = compute_loss
        self._name = f"{kind}_function"
        self.own = getattr(model, self._name)
        step = wrap_step(getattr(model, f"{kind}_step"))
        with _replaced(model, **{f"{kind}_step": step, self._name: None}):
            getattr(model, f"make_{kind}_function")(force=True)
            self._function = getattr(model, self._name)

    def stand_in(self):
        """Lets the model run this function next."""
        setattr(self._model, self._name, self)

    def make_way(self):
        """Puts the model's own function back."""
        setattr(self._model, self._name, self.own)

    def __call__(self, iterator):
        self.make_way()
        compute_loss = functools.partial(self._compute_loss, self._model.compute_loss)
        with _replaced(self._model, compute_loss=compute_loss):
            return self._function(iterator)


@contextlib.contextmanager
def _replaced(target, **attributes):
    """Sets attributes of an object for a while."""
    before = {name: vars(target)[name] for name in attributes if name in vars(target)}
    for name, value in attributes.items():
        setattr(target, name, value)
    try:
        yield
    finally:
        for name in attributes:
            if name in before:
                setattr(target, name, before[name])
            else:
                delattr(target, name)
