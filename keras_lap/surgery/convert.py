"""Turns a trained model into one with LAP layers that computes the same."""

from keras_lap.graph.lap_layers import lap_layers
from keras_lap.surgery.compile_state import check_compiled, copy_compile_state
from keras_lap.surgery.conversion_plan import ConversionPlan
from keras_lap.surgery.plan import plan as make_plan
from keras_lap.surgery.rebuild import rebuild
from keras_lap.surgery.rewrite import Lap, Own


def convert(model, plan=None, *, compile=None, **options):
    """Puts LAP layers into a model without changing what it computes.

    The result is a new model with its own layers, weights and names copied; `model`
    stays as it is. Each LAP layer blends what stood in its place with local
    attention pooling, by its variable `gate`: 0 at first, so that outputs are those
    of `model` to rounding, where features are finite. See
    `keras_lap.callbacks.GateAnneal` for opening it.

    Models nested in `model` are converted too, and a layer that is called several times
    stays shared; calls of one pooling in other models or on other numbers of channels
    get LAP layers of their own, by `keras_lap.plan`. Layers keep their `trainable`
    flags, and LAP layers are trainable even inside a frozen model, since their weights
    are new. For the same reason the result, and each model in it that gets LAP, is
    trainable as a whole even if the given one is not; the layers it has from there are
    then frozen one by one, until its `trainable` is set to `True`. States of recurrent
    layers and of random generators start afresh, and what was set on `model` as an
    attribute is not copied.

    Args:
        model: Functional or built Sequential model. A subclass of these keeps its
            class if its constructor is the standard one and comes back as a plain
            model otherwise.
        plan: A `ConversionPlan` for `model`, or `None` for `keras_lap.plan(model,
            **options)`.
        compile: `"copy"` to compile the result as `model` is, with the state of its
            optimizer for the weights they have in common; `None` to leave it
            uncompiled.
        **options: Arguments of `keras_lap.plan`: `preset`, `where`, `skip`,
            `concepts`, `image_size`, `keep_max` and options of the LAP layers.

    Returns:
        A Functional model, or a Sequential one if `model` is Sequential.

    Raises:
        TypeError: If `model` is no Keras model, `plan` is no plan, an option is
            unknown, or there are options beside a plan.
        ValueError: If `model` has no graph of layers to read, as a subclassed model;
            if it has no place for LAP, in which case the message says why each layer
            that was looked at stays; if the plan is for another model; if one of its
            layers cannot be copied by its config, or shares weights with another; if
            `compile="copy"` and `model` is not compiled, or has a `train_step` or the
            like of its own that the result would lack; or if an option is out of its
            range.

    Example:

    >>> import keras
    >>> import keras_lap
    >>> from keras import layers
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((32, 32, 3)),
    ...         layers.Conv2D(8, 3),
    ...         layers.MaxPooling2D(name="pool"),
    ...         layers.GlobalAveragePooling2D(name="head"),
    ...         layers.Dense(10),
    ...     ]
    ... )
    >>> converted = keras_lap.convert(model, concepts={"pool": 1})
    >>> [(layer.name, layer.concepts) for layer in keras_lap.lap_layers(converted)]
    [('pool', 1), ('head', 10)]
    """
    _check_arguments(model, plan, compile, options)
    plan = plan or make_plan(model, **options)
    if not plan.places:
        raise ValueError(_nothing_to_convert(plan))
    chains, twins, laps = _chains(plan)
    absorbed = [call for place in plan.places for call in place.rewrite.absorbs]
    rebuilt = rebuild(plan.graph, chains, absorbed, twins, laps)
    if compile == "copy":
        copy_compile_state(model, rebuilt.model, rebuilt.weight_pairs())
    return rebuilt.model


def _chains(plan):
    """New layers in the order of every place's chain.

    Returns:
        Dict from ids of layers to lists of new ones, pairs of a layer and its altered
        copy among these, and the list of LAP layers.
    """
    chains, twins, laps = {}, [], {}
    for place in plan.places:
        chain = chains[id(place.layer)] = []
        for part in place.rewrite.chain:
            if not isinstance(part, Lap):
                chain.append(part.new_layer())
            else:
                if id(part.source) not in laps:
                    options = plan.options_of(part)
                    laps[id(part.source)] = part.new_layer(**options)
                chain.append(laps[id(part.source)])
            if isinstance(part, Own):
                twins.append((part.layer, chain[-1]))
    return chains, twins, list(laps.values())


def _check_arguments(model, plan, compile, options):
    if compile not in (None, "copy"):
        raise ValueError(
            f'Expected `compile` to be None or "copy". Received: compile={compile!r}'
        )
    if compile == "copy":
        check_compiled(model)
    if plan is None:
        return
    if not isinstance(plan, ConversionPlan):
        raise TypeError(
            "Expected `plan` to be made by `keras_lap.plan(model)`; what it takes can "
            'also be given by name, as in `where="all"`. '
            f"Received: plan={plan!r} of type {type(plan).__name__}"
        )
    if options:
        raise TypeError(
            "Expected a plan or options, not both: give the options to "
            f"`keras_lap.plan`. Received: a plan and {', '.join(sorted(options))}"
        )
    if plan.model is not model or not plan.is_current:
        raise ValueError(
            "Expected a plan that was made for the given model, as it is now. "
            f"Received: a plan for {plan.model.name!r} and model {model!r}. Call "
            "`keras_lap.plan(model)`."
        )


def _nothing_to_convert(plan):
    looked_at = [
        f"\n- {row.layer} ({row.kind}): {row.reason}" for row in plan.rows
    ] or ["\n- no 2D pooling and no strided 2D convolution"]
    present = [layer.name for layer in lap_layers(plan.model)]
    if present:
        looked_at.append(f"\nIt has LAP layers already: {present}")
    return (
        f"Expected {plan.model.name!r} to have a layer that LAP can take the place of. "
        f"Received a model in which these were looked at:{''.join(looked_at)}"
    )
