"""Takes off a trained model what only its training needed."""

from keras import Sequential, layers

from keras_lap.graph.lap_layers import lap_layers
from keras_lap.layers import BaseLAPooling
from keras_lap.surgery.copies import copied_value, copy_operation, copy_state
from keras_lap.surgery.read_graph import read_graph
from keras_lap.surgery.rebuild import rebuild
from keras_lap.utils.preprocessing_layers import AUGMENTATIONS
from keras_lap.utils.warn import warn

REGULARIZERS = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
)


def finalize(model):
    """Makes a model for deployment: without what only training needed.

    - A LAP layer whose gate reached exactly 1 loses its base branch and its gate. It
      keeps its name and all other weights. At any other gate, strictly between 0 and
      1 too, the base branch has a part in the output and stays; a warning lists those
      layers, since a gate left half open mostly is a training that ended too early.
    - Layers that do nothing at inference are taken out: dropout of all kinds, Gaussian
      noise, `ActivityRegularization` and the augmentations `AugMix`, `CutMix`, `MixUp`,
      `RandAugment` and `Random...`, except for `RandomCrop`. A nested model made of
      nothing else goes as a whole. Where one changes the dtype, a `Rescaling` by 1 that
      does so takes its place and its name. A layer stays where an output of `model` has
      its name, and all but augmentations where they were called with `training=True`,
      as for Monte Carlo dropout.

    Everything else is copied with its name, weights, flags and dtype policy, and with
    nothing to do the result is a copy. It is not compiled. Its outputs at inference,
    with `training=False` as in `predict`, are those of `model` where features are
    finite: to rounding, and to the last bit on TensorFlow and JAX.

    Args:
        model: Functional or built Sequential model, which stays as it is.

    Returns:
        A new model, Functional or Sequential as `model` is.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If `model` has no graph of layers to read, as a subclassed model,
            or one of its layers cannot be copied by its config or shares weights with
            another.

    Warns:
        UserWarning: If LAP layers keep their base branch, with their gates. That
            includes layers inside custom layers, which are copied as they are.

    Example:

    >>> import keras, keras_lap
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 3)),
    ...         keras_lap.LAPooling2D(2, base="max", name="pool"),
    ...         keras.layers.Dropout(0.5),
    ...         keras.layers.Dense(4, name="logits"),
    ...     ]
    ... )
    >>> _ = model.get_layer("pool").gate.assign(1)
    >>> final = keras_lap.finalize(model)
    >>> [layer.name for layer in final.layers], final.get_layer("pool").base
    (['pool', 'logits'], None)
    """
    graph = read_graph(model)
    folded = {
        id(layer): (layer, copy_operation(layer, base=None))
        for layer in (call.operation for call in graph.calls)
        if isinstance(layer, BaseLAPooling) and layer.base and float(layer.gate) == 1
    }
    chains = {key: [copy] for key, (_, copy) in folded.items()}
    chains.update(_casts_of_idle(graph))
    final = rebuild(graph, chains).model
    for layer, copy in folded.values():
        _copy_weights(layer, copy)
    _warn_of_bases(final)
    return final


def _casts_of_idle(graph):
    """The chains of layers and nested models that do nothing at inference.

    Returns:
        Dict from their ids to lists: of a layer that casts for those that change the
        dtype, otherwise empty.
    """
    in_training = set(_training_calls(graph, graph.model))

    def is_idle(operation):
        calls = graph.calls_of(operation)
        dtypes = {call.outputs[0].dtype for call in calls}
        return len(dtypes) == 1 and all(map(passes_on, calls))

    def passes_on(call):
        return (
            does_nothing(call)
            and len(call.inputs) == len(call.outputs) == 1
            and not any(call.outputs[0] is end for end in graph.model.outputs)
        )

    def does_nothing(call):
        operation = call.operation
        if graph.contains(operation):
            return all(is_idle(each) and not casts(each) for each in inside(operation))
        # Keras notes `training=True` for augmentations called without any.
        return type(operation) in AUGMENTATIONS or (
            type(operation) in REGULARIZERS and id(call) not in in_training
        )

    def casts(operation):
        calls = graph.calls_of(operation)
        return any(call.inputs[0].dtype != call.outputs[0].dtype for call in calls)

    def chain(operation):
        if not casts(operation):
            return []
        dtype = graph.calls_of(operation)[0].outputs[0].dtype
        return [layers.Rescaling(1.0, dtype=dtype, name=operation.name)]

    def inside(model):
        return [call.operation for call in graph.calls_in(model)]

    called = {id(call.operation): call.operation for call in graph.calls}
    chains = {key: chain(each) for key, each in called.items() if is_idle(each)}
    for model in graph.models:
        parts = set(map(id, inside(model)))
        is_emptied = not any(chains.get(key, True) for key in parts)
        if isinstance(model, Sequential) and id(model) not in chains and is_emptied:
            # It has to have a layer.
            for key in parts:
                del chains[key]
    return chains


def _training_calls(graph, model, inherited=None):
    """Ids of the calls made with `training=True`, or inside a model called so."""
    for call in graph.calls_in(model):
        given = (inherited, call.kwargs.get("training"), *call.args[1:2])
        training = next((value for value in given if isinstance(value, bool)), None)
        if training:
            yield id(call)
        if graph.contains(call.operation):
            yield from _training_calls(graph, call.operation, training)


def _copy_weights(layer, copy):
    """Copies what a LAP layer and its copy without a base have in common."""
    copy.trainable = layer.trainable
    copy.raw_alpha.assign(copied_value(layer.raw_alpha))
    copy.raw_alpha.trainable = layer.raw_alpha.trainable
    if layer.head is not None:
        copy_state(layer.head, copy.head)


def _warn_of_bases(model):
    kept = [
        f"{layer.name!r} (gate {float(layer.gate):g})"
        for layer in lap_layers(model)
        if layer.base is not None
    ]
    if kept:
        warn(
            "Expected all gates to have reached 1, as by "
            "`keras_lap.callbacks.GateAnneal`. Received LAP layers that keep their "
            f"base branch: {', '.join(kept)}",
        )
