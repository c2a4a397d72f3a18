"""Training on several devices at a time, which only TensorFlow's strategies do.

Elsewhere there is one step for the whole batch, however many devices compute it.
"""

import contextlib
import functools

import keras

if keras.config.backend() == "tensorflow":
    import tensorflow as tf


def strategy_of(model):
    """The `tf.distribute.Strategy` that a model is trained with, or `None`."""
    if keras.config.backend() != "tensorflow":
        return None
    return model.distribute_strategy


def scope_of(strategy):
    """The context in which variables of a strategy have to be made."""
    return contextlib.nullcontext() if strategy is None else strategy.scope()


def has_several_workers(strategy):
    """Whether a `tf.distribute.Strategy` trains in several processes."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def share_of_replica(loss):
    """What one replica adds to a loss, of which the sum over all is minimised."""
    if keras.config.backend() != "tensorflow":
        return loss
    return loss / tf.distribute.get_strategy().num_replicas_in_sync


def in_graph(function):
    """The function as one graph, in which workers agree with each other only once."""
    # Of a `partial`: of many functions with the same code TensorFlow would warn that
    # one is traced too often.
    return tf.function(functools.partial(function), autograph=False)


def mean_over_replicas(value):
    """Mean of a scalar over the replicas of the step; it has no gradient."""
    if keras.config.backend() != "tensorflow":
        return value
    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.MEAN, tf.stop_gradient(value))
