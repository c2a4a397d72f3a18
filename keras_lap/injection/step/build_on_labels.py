"""Lets Keras build models from batches whose targets hold knowledge."""

import functools

import keras

from keras_lap.injection.knowledge import holds_knowledge, split_targets
from keras_lap.injection.step.are_names_of_outputs import are_names_of_outputs
from keras_lap.injection.step.has_own import has_own
from keras_lap.injection.step.replaced import replaced
from keras_lap.injection.step.replicas import has_several_workers
from keras_lap.injection.step.weight_of_label import weight_of_label


@functools.cache
def let_models_build_on_labels():
    """Shows a model's loss and metrics the label alone while they are built.

    On JAX and torch, and with TensorFlow's strategies, `fit` and `evaluate` build the
    compiled loss and metrics from the first batch before they call any callback. A
    dict of targets for a single output is an error then, so `keras.Model` learns here
    to pass over what `KnowledgeInjection` reads. Nothing else about it changes:
    targets that hold anything else, those of outputs of such names, and a
    `compute_loss` of one's own that reads the dict are left alone. With several workers
    Keras fails to build any model from a batch, and builds it from the shapes of the
    data set instead.
    """
    keras.Model._symbolic_build = _on_labels(keras.Model._symbolic_build)
    if keras.config.backend() == "tensorflow":
        keras.Model._maybe_symbolic_build = _from_specs(
            keras.Model._maybe_symbolic_build
        )


def _on_labels(build):
    @functools.wraps(build)
    def build_on_labels(model, *args, **kwargs):
        names = ("compute_loss", "compute_metrics")
        changes = {name: _on_label(model, name) for name in names}
        with replaced(model, **changes):
            return build(model, *args, **kwargs)

    return build_on_labels


def _on_label(model, name):
    compute = getattr(model, name)
    is_own = has_own(model, name)

    @functools.wraps(compute)
    def compute_on_label(x, y, y_pred, sample_weight=None, **kwargs):
        is_meant = isinstance(y, dict) and "label" in y
        if not is_meant or are_names_of_outputs(model, y, y_pred):
            return compute(x, y, y_pred, sample_weight, **kwargs)
        if not holds_knowledge(y):
            try:
                return compute(x, y, y_pred, sample_weight, **kwargs)
            except Exception:
                # What is wrong may be the name of what is known.
                split_targets(y)
                raise
        try:
            weight = weight_of_label(sample_weight, y)
            return compute(x, y["label"], y_pred, weight, **kwargs)
        except Exception:
            if not is_own:
                raise
            # A method of the user's own may read the rest.
            return compute(x, y, y_pred, sample_weight, **kwargs)

    return compute_on_label


def _from_specs(build):
    """Builds on the shapes of a distributed data set, not on a batch of it.

    Keras sums up a batch over the replicas to have its shapes, which fails for flags,
    and for anything with several workers.
    """

    @functools.wraps(build)
    def build_from_specs(model, iterator=None, data_batch=None):
        strategy = model._distribute_strategy
        if strategy is not None and iterator is not None:
            specs = keras.tree.map_structure(
                lambda spec: getattr(spec, "_value_specs", [spec])[0],
                iterator._get_iterator().element_spec,
            )
            _, y, _ = keras.utils.unpack_x_y_sample_weight(specs)
            if holds_knowledge(y) or has_several_workers(strategy):
                iterator, data_batch = None, specs
        return build(model, iterator, data_batch)

    return build_from_specs
