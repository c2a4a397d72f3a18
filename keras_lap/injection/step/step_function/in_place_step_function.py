"""Steps with something added to them, where variables change in place."""

from keras import ops

from keras_lap.injection.step.built_before_tracing import built_before_tracing
from keras_lap.injection.step.replicas import in_graph, strategy_of
from keras_lap.injection.step.step_function.base_step_function import BaseStepFunction


class StepFunction(BaseStepFunction):
    """The `BaseStepFunction` of TensorFlow and torch.

    Keras averages what replicas have logged, however many samples each has seen, so
    their metrics are read after the step, as they are over all replicas.

    TensorFlow forgets the sizes that differ between one data set and the next, which
    are needed to check and to place knowledge, so each kind has a function of its own.
    """

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._by_kind = {}

    def __call__(self, iterator):
        self.make_way()
        specs = getattr(iterator, "element_spec", None)
        # Specifications of dicts are no keys.
        kind = repr(specs)
        if kind not in self._by_kind:
            if self._by_kind:
                self._make_function()
            self.has_run = False
            self._by_kind[kind] = self._function
        self._function = self._by_kind[kind]
        if self.has_run or specs is None:
            return super().__call__(iterator)
        is_training = self._step_name == "train_step"
        with built_before_tracing(self._model, specs, is_training):
            return super().__call__(iterator)

    def _make_step(self, own):
        strategy = strategy_of(self._model)
        self._has_replicas = strategy is not None and strategy.num_replicas_in_sync > 1
        if self._has_replicas:
            self._read_metrics = in_graph(self._all_metrics)
        step = self._wrap_step(own)

        def step_with_means(data):
            logs = self._with_means(step(data))
            if self._has_replicas:
                # Over several workers Keras averages along an axis.
                logs = {name: ops.reshape(value, (-1,)) for name, value in logs.items()}
            return logs

        return step_with_means

    def _run(self, iterator):
        logs = self._function(iterator)
        if not self._has_replicas:
            return logs
        whole = self._read_metrics()
        return {
            name: whole[name] if name in whole else ops.mean(logs[name])
            for name in logs
        }

    def _all_metrics(self):
        return {**self._model.get_metrics_result(), **self._terms.result()}
