"""Compiles a converted model as the given one is, down to the optimizer's state."""

import inspect

import keras
from keras import tree

from keras_lap.surgery.copies import copied_value

STEPS = (
    "train_step",
    "test_step",
    "predict_step",
    "compute_loss",
    "compute_metrics",
)
COPIED = (keras.metrics.Metric, keras.optimizers.Optimizer)


def check_compiled(model):
    """Checks that what a model was compiled with can be read.

    Args:
        model: A `keras.Model`.

    Raises:
        ValueError: If it is not compiled, or by a `compile` of its own.
    """
    if not model.compiled:
        raise ValueError(
            f"Expected a compiled model to copy from. Received: {model.name!r}, which "
            "is not compiled. Call its `compile`, or leave out `compile` here."
        )
    if type(model).compile is not keras.Model.compile:
        raise ValueError(
            "Expected a model that is compiled by Keras' own `compile`. Received: "
            f"{model.name!r} of class {type(model).__name__}, which has another. Leave "
            "out `compile` here and compile the result yourself."
        )


def copy_compile_state(model, copy, pairs):
    """Compiles a copy of a model like the model itself.

    Optimizer and metrics are new objects with the settings of the old ones, by
    `from_config(get_config())`; losses and plain functions, which hold no state, are
    shared. Metrics start afresh. If the optimizer is built, its counters and what it
    remembers of the weights that both models have are copied too. Of new weights it
    remembers nothing, and since it no longer corrects for that, Adam's first steps for
    them may be three times as long as at the start of a training.

    Args:
        model: A compiled `keras.Model`, which stays as it is.
        copy: The model to compile, built.
        pairs: Pairs of a variable of `model` and its counterpart in `copy`.

    Raises:
        ValueError: If `model` is not compiled, or by a `compile` of its own; if it has
            steps of its own, such as `train_step`, that `copy` lacks; if its optimizer
            or a metric cannot be copied by its config, or has settings that its config
            does not hold; or if the optimizer keeps variables where they cannot be
            found.
    """
    check_compiled(model)
    _check_steps(type(model), type(copy))
    given = model._compile_config.config
    copy.compile(
        optimizer=_copy_optimizer(model.optimizer, copy.trainable_variables, pairs),
        **{
            name: tree.map_structure(_copy, given[name])
            for name in ("loss", "loss_weights", "metrics", "weighted_metrics")
        },
        run_eagerly=model.run_eagerly,
        steps_per_execution=model.steps_per_execution,
        jit_compile=model.jit_compile,
        # An optimizer that scales the loss is wrapped by now.
        auto_scale_loss=False,
    )


def _check_steps(given, kept):
    lost = [name for name in STEPS if getattr(given, name) is not getattr(kept, name)]
    if lost:
        raise ValueError(
            "Expected a copy with the steps of the model. Received: a model of class "
            f"{given.__name__}, whose constructor is its own, so that its copy is of "
            f"class {kept.__name__} and lacks its {', '.join(lost)}. Leave out "
            "`compile` here and run the result by steps of your own, or move them to a "
            "class that leaves `keras.Model`'s constructor as it is."
        )


def _copy(value):
    """A new object with the same settings; what has no state, as it is."""
    if not isinstance(value, COPIED):
        return value
    for part in _parts(value):
        _check_config(part)
    try:
        return type(value).from_config(value.get_config())
    except Exception as error:
        raise ValueError(
            "Expected optimizer and metrics to be rebuilt by their "
            f"`from_config(get_config())`. Received: {value.name!r} of class "
            f"{type(value).__name__}, for which this failed with "
            f"{type(error).__name__}: {error}. Register what it holds by "
            "`keras.saving.register_keras_serializable`, or leave out `compile` here "
            "and compile the result yourself."
        ) from error


def _check_config(value):
    """Checks that a config inherited by a class has the settings which that added."""
    maker, teller = (
        next(base for base in type(value).__mro__ if name in vars(base))
        for name in ("__init__", "get_config")
    )
    if maker is teller or not issubclass(maker, teller):
        return
    config = value.get_config()
    missing = [
        name
        for name, parameter in inspect.signature(type(value)).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and name not in config
    ]
    if missing:
        raise ValueError(
            "Expected optimizer and metrics whose `get_config` has all arguments of "
            f"their constructor. Received: {value.name!r} of class "
            f"{type(value).__name__}, which inherits it from {teller.__name__}, "
            f"without {', '.join(missing)}. Give it a `get_config`, or leave out "
            "`compile` here and compile the result yourself."
        )


def _copy_optimizer(optimizer, trainable_variables, pairs):
    copy = _copy(optimizer)
    if optimizer is None:
        return copy
    parts, twins = _parts(optimizer), _parts(copy)
    if len(parts) != len(twins):
        raise ValueError(
            "Expected an optimizer whose config holds every optimizer inside it once. "
            f"Received: {optimizer.name!r} of class {type(optimizer).__name__}, of "
            f"which a copy has {len(twins) - 1} inside instead of {len(parts) - 1}. "
            "Leave out `compile` here and compile the result yourself."
        )
    for part, twin in zip(parts, twins, strict=True):
        _copy_exclusions(part, twin, pairs)
    if optimizer.built:
        copy.build(trainable_variables)
    for part, twin in zip(parts, twins, strict=True):
        if part.built and twin.built:
            _copy_state(part, twin, pairs)
    return copy


def _parts(optimizer):
    """An optimizer and those that it hands its work on to; of a metric, itself."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return [optimizer, *_parts(optimizer.inner_optimizer)]
    return [optimizer, *getattr(optimizer, "optimizers", [])]


def _copy_exclusions(optimizer, copy, pairs):
    """Exempts the same weights, and new ones of the same names, from weight decay."""
    if not hasattr(optimizer, "_exclude_from_weight_decay"):
        return
    excluded = optimizer._exclude_from_weight_decay
    pattern = optimizer._exclude_from_weight_decay_pattern
    copy.exclude_from_weight_decay(
        [twin for own, twin in pairs if optimizer._var_key(own) in excluded],
        pattern and [pattern.pattern],
    )


def _copy_state(optimizer, copy, pairs):
    """Copies counters, and of every list of slots those of kept weights."""
    twins = {id(own): twin for own, twin in pairs}
    trained = {id(own): index for index, own in enumerate(copy._trainable_variables)}
    moves = [
        (index, trained[id(twins[id(own)])])
        for index, own in enumerate(optimizer._trainable_variables)
        if id(own) in twins and id(twins[id(own)]) in trained
    ]
    if optimizer.use_ema:
        # The average of a weight without a past is the weight itself.
        averages = copy._model_variables_moving_average
        for average, own in zip(averages, copy._trainable_variables, strict=True):
            average.assign(copied_value(own))
    found = set()
    for name, value in vars(optimizer).items():
        if isinstance(value, keras.Variable):
            found.add(id(value))
            getattr(copy, name).assign(copied_value(value))
        elif _is_slots(value, optimizer):
            found.update(map(id, value))
            for old, new in moves:
                if value[old] is not None:
                    getattr(copy, name)[new].assign(copied_value(value[old]))
    if not found.issuperset(map(id, optimizer._variables)):
        raise ValueError(
            "Expected an optimizer whose variables are attributes, or lists with one "
            "for each trainable variable. Received: "
            f"{optimizer.name!r} of class {type(optimizer).__name__}. Leave out "
            "`compile` here and compile the result yourself."
        )


def _is_slots(value, optimizer):
    """Whether a value is a list of an optimizer's variables, one for each weight."""
    return (
        isinstance(value, list)
        and value is not optimizer._trainable_variables
        and value is not optimizer._variables
        and len(value) == len(optimizer._trainable_variables)
        and all(slot is None or isinstance(slot, keras.Variable) for slot in value)
    )
