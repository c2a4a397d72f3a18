"""One step of `fit` or `evaluate` with something added to it."""

import contextlib
import functools


class StepFunction:
    """A compiled step that takes the place of a model's own one for a single call.

    `stand_in` is for the hook at the beginning of a batch: it makes the model use
    this function next. The call puts the model's own function back before it does
    anything else, so between the steps the model is as it was. If the call never
    comes, because another callback fails in between, the model gets its own function
    back once it is asked to make one, as every `fit` and `evaluate` begins by doing.

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
        self._maker = f"make_{kind}_function"
        self._standing_in = contextlib.ExitStack()
        self.own = getattr(model, self._name)
        step = wrap_step(getattr(model, f"{kind}_step"))
        with _replaced(model, **{f"{kind}_step": step, self._name: None}):
            getattr(model, self._maker)(force=True)
            self._function = getattr(model, self._name)

    def stand_in(self):
        """Lets the model run this function next."""
        make = functools.partial(self._make_own, getattr(self._model, self._maker))
        self._standing_in.enter_context(_replaced(self._model, **{self._maker: make}))
        setattr(self._model, self._name, self)

    def make_way(self):
        """Puts the model's own function back."""
        self._standing_in.close()
        # Compiling the model may have taken this function away already.
        if getattr(self._model, self._name) is self:
            setattr(self._model, self._name, self.own)

    def _make_own(self, make, *args, **kwargs):
        self.make_way()
        return make(*args, **kwargs)

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
