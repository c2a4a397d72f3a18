"""What steps with something added to them have in common on all backends."""

import contextlib
import functools

from keras_lap.injection.step.replaced import replaced


class BaseStepFunction:
    """A compiled step that takes the place of a model's own one for a single call.

    `stand_in` is for the hook at the beginning of a batch: it makes the model use
    this function next. The call puts the model's own function back before it does
    anything else, so between the steps the model is as it was. If the call never
    comes, because another callback fails in between, the model gets its own function
    back once it is asked to make one, as every `fit` and `evaluate` begins by doing.

    Args:
        model: A compiled `keras.Model`.
        kind: `"train"` or `"test"`.
        wrap_step: Takes a step, a function from a batch to logs, and returns the step
            to run.
        compute_loss: Replaces `model.compute_loss` during the step, and takes it
            as its first argument.
        terms: The `Terms` that the step takes note of, whose means go into its logs.
        variables: List of all `keras.Variable`s that `compute_loss` changes.

    Attributes:
        own: The model's own function, for which this one stands in.
        has_run: Whether a call has succeeded. One that has not may be half traced, and
            is of no further use.
        is_awaited: Whether the step that this one stands in for is still to come.
    """

    def __init__(self, model, kind, wrap_step, compute_loss, terms, variables):
        self._model = model
        self._wrap_step = wrap_step
        self._compute_loss = compute_loss
        self._terms = terms
        self._variables = variables
        self._step_name = f"{kind}_step"
        self._name = f"{kind}_function"
        self._maker = f"make_{kind}_function"
        self._standing_in = contextlib.ExitStack()
        self.own = getattr(model, self._name)
        self.has_run = self.is_awaited = False
        self._step = self._make_step(getattr(model, self._step_name))
        self._make_function()

    def stand_in(self):
        """Lets the model run this function next."""
        make = functools.partial(self._make_own, getattr(self._model, self._maker))
        self._standing_in.enter_context(replaced(self._model, **{self._maker: make}))
        setattr(self._model, self._name, self)
        self.is_awaited = True

    def make_way(self):
        """Puts the model's own function back."""
        self._standing_in.close()
        # Compiling the model may have taken this function away already.
        if getattr(self._model, self._name) is self:
            setattr(self._model, self._name, self.own)

    def _make_own(self, make, *args, **kwargs):
        self.make_way()
        return make(*args, **kwargs)

    def __call__(self, *arguments):
        self.make_way()
        self.is_awaited = False
        with self._at_work():
            results = self._run(*arguments)
        self.has_run = True
        return results

    def _make_function(self):
        """Lets Keras make a function of the step."""
        with self._at_work(), replaced(self._model, **{self._name: None}):
            getattr(self._model, self._maker)(force=True)
            self._function = getattr(self._model, self._name)

    @contextlib.contextmanager
    def _at_work(self):
        """The model as it is during the step."""
        compute_loss = functools.partial(self._compute_loss, self._model.compute_loss)
        changes = {self._step_name: self._step, "compute_loss": compute_loss}
        with replaced(self._model, **changes):
            yield

    def _make_step(self, own):
        """The step to run, with the arguments and the results of the model's own."""
        raise NotImplementedError

    def _run(self, *arguments):
        """Calls the function that Keras has made of the step."""
        return self._function(*arguments)

    def _with_means(self, logs):
        """The logs of a step together with the means of the terms."""
        means = self._terms.result()
        clashes = sorted(logs.keys() & means.keys())
        if clashes:
            raise ValueError(
                "Expected losses with other names than the model's own logs: set "
                f"`name=` of the loss. Received losses named: {clashes}"
            )
        return {**logs, **means}
