"""Steps with something added to them, where a step returns the new state."""

import contextlib
import types

import keras

from keras_lap.injection.step.replaced import replaced
from keras_lap.injection.step.step_function.base_step_function import BaseStepFunction


class StepFunction(BaseStepFunction):
    """The `BaseStepFunction` of JAX.

    What the terms change travels with the values of one of the model's metrics, in
    the last part of the state.

    Raises:
        ValueError: If the model has no metric that can carry it.
    """

    def _make_step(self, own):
        def step_with_means(state, data):
            def step(data):
                nonlocal state
                logs, state = own(state, data)
                return logs

            # Steps of a user's own may call `compute_loss` outside of any scope.
            with self._scope(state):
                logs = self._wrap_step(step)(data)
            with self._scope(state):
                return self._with_means(logs), state

        return step_with_means

    def _scope(self, state):
        """Where the variables of the terms have the values that travel in a state."""
        _, travelling = self._split(state[-1])
        mapping = list(zip(self._variables, travelling, strict=True))
        return keras.StatelessScope(state_mapping=mapping)

    @contextlib.contextmanager
    def _at_work(self):
        carrier = self._carrier()
        inside = [*carrier._metrics, types.SimpleNamespace(variables=self._variables)]
        with super()._at_work(), replaced(carrier, _metrics=inside):
            yield

    def _carrier(self):
        """A metric of the model whose variables are all that it holds."""
        own = keras.metrics.Metric.variables
        for metric in self._model.metrics:
            if type(metric).variables is own:
                return metric
        raise ValueError(
            "Expected a model with a metric, beside whose values those of the terms "
            f"travel on JAX. Received {self._model.name!r}, whose own `metrics` have "
            "none: let them hold a `keras.metrics.Mean`."
        )

    def __call__(self, state, iterator):
        try:
            return super().__call__(state, iterator)
        except BaseException:
            self._give_back(state)
            raise

    def _give_back(self, state):
        """Returns to the model what a step took that has failed.

        Keras empties a model's variables for the first step, and forgets what was in
        them if that fails. A step that has begun to run may have used it up.
        """
        if any(value.is_deleted() for values in state for value in values):
            return
        trainable, others, *optimizer, metrics = state
        self._model._jax_state = {
            "trainable_variables": trainable,
            "non_trainable_variables": others,
            "optimizer_variables": optimizer[0] if optimizer else None,
            "metrics_variables": metrics,
        }
        self._model._jax_state_synced = False
        self._model.jax_state_sync()

    def _run(self, state, iterator):
        *others, metrics = state
        here = self._place()
        travelling = [variable.value for variable in self._variables]
        metrics = [*metrics[: here.start], *travelling, *metrics[here.start :]]
        logs, state = self._function((*others, metrics), iterator)
        *others, metrics = state
        metrics, travelling = self._split(metrics)
        for variable, value in zip(self._variables, travelling, strict=True):
            variable.assign(value)
        return logs, (*others, metrics)

    def _split(self, metrics):
        """The values of the model's own metrics, and those of the terms."""
        here = self._place()
        return [*metrics[: here.start], *metrics[here.stop :]], metrics[here]

    def _place(self):
        """Where in the values of all metrics those of the terms are."""
        ours = self._variables
        every = self._model.metrics_variables
        start = next(i for i, variable in enumerate(every) if variable is ours[0])
        return slice(start, start + len(ours))
