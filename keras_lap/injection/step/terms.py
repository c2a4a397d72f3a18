"""The weighted terms of a loss, and what each of them was on average."""

import keras
from keras import ops

from keras_lap.injection.step.replicas import mean_over_replicas, share_of_replica

BALANCES = (None, "uncertainty")
# By how much a term must fall for its logarithm to notice, near zero.
_SMALL = 1e-2


class Terms:
    """Adds terms to a loss, each with its weight, and tells their means.

    A weight that grows is a variable, so that nothing is traced anew as it does; one
    that does not is a plain number.

    Args:
        names: Names of the terms.
        weights: Their full weights.
        warmup: Numbers of epochs, possibly fractional, over which the weights grow in
            a line from 0.
        balance: `None`, or `"uncertainty"` as in `KnowledgeInjection`.
    """

    def __init__(self, names, weights, warmup, balance):
        self._means = [_Mean(name=name) for name in names]
        self._weights = weights
        self._warmup = warmup
        self._balance = balance
        self._current = [
            keras.Variable(0.0, trainable=False, autocast=False) if epochs else weight
            for weight, epochs in zip(weights, warmup, strict=True)
        ]

    @property
    def variables(self):
        """All that changes from step to step: list of `keras.Variable`."""
        changing = [weight for weight in self._current if hasattr(weight, "assign")]
        return changing + [variable for m in self._means for variable in m.variables]

    def warm_up(self, epoch):
        """Sets the weights to those of a (fractional) epoch, counted from zero."""
        for current, weight, epochs in zip(
            self._current, self._weights, self._warmup, strict=True
        ):
            if epochs:
                current.assign(weight * min(epoch / epochs, 1.0))

    def reset(self):
        """Begins the means anew."""
        for mean in self._means:
            mean.reset_state()

    def add(self, index, values, counts, is_training):
        """Takes note of one term, and returns what it adds to the loss.

        Args:
            index: Which of the terms.
            values: The term of each sample, `(N,)`; of any value where it counts 0.
            counts: How much each sample counts, `(N,)`.
            is_training: Whether the weight is the current or the full one.
        """
        values = ops.where(counts != 0, values, 0)
        self._means[index].update_state(values, sample_weight=counts)
        if not self._weights[index]:
            return 0.0
        # A replica may have no sample in the last batch, and so nothing to average.
        samples = ops.cast(ops.maximum(ops.shape(values)[0], 1), values.dtype)
        term = ops.sum(values * counts) / samples
        if self._balance == "uncertainty":
            term = _logarithm(term)
        weight = (self._current if is_training else self._weights)[index]
        return share_of_replica(weight * term)

    def result(self):
        """The means of the samples that counted: dict from names to scalars."""
        return {mean.name: mean.result() for mean in self._means}


class _Mean(keras.metrics.Mean):
    """A mean that is NaN, not zero, where there was nothing to average."""

    def result(self):
        return ops.divide(self.total, self.count)


def _logarithm(term):
    """`log(1 + term / _SMALL)`, with the gradient that is due to this replica."""
    whole = ops.maximum(ops.stop_gradient(mean_over_replicas(term)), 0.0)
    change = (term - ops.stop_gradient(term)) / (_SMALL + whole)
    return ops.log1p(whole / _SMALL) + change
