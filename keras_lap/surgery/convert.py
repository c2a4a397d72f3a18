"""Turns a trained model into one with LAP layers that computes the same."""

import keras

from keras_lap.layers.model_graph import check_model, graph_of
from keras_lap.names import check_choice, listed
from keras_lap.surgery.concepts import choose_concepts
from keras_lap.surgery.graph import Graph
from keras_lap.surgery.places import WHERE, find_places
from keras_lap.surgery.rebuild import rebuild

LAYER_DEFAULTS = {
    "hidden": None,
    "weighting": "gaussian",
    "gating": "score",
    "alpha": 2.0,
    "scores": "max",
    "score_activation": "sigmoid",
    # Near 1, so that an opening gate keeps the scale the trained network is used to.
    "initial_score": 0.95,
    "detach_scores": False,
}


def convert(model, where="pooling", skip=(), concepts="auto", **layer_options):
    """Puts LAP layers into a model without changing what it computes.

    The result is a new model with its own layers, weights and names copied; `model`
    stays as it is. Each LAP layer blends what stood in its place with local
    attention pooling, by its variable `gate`: 0 at first, so that outputs are those
    of `model` to rounding. See `keras_lap.callbacks.GateAnneal` for opening it.

    With `where="pooling"` these are replaced: `MaxPooling2D` and `AveragePooling2D`
    with a stride, along with a `ZeroPadding2D` directly in front, and the global
    pooling that leads to the classifier. The LAP layer takes the name of the layer it
    replaces. With `where="all"` strided convolutions follow: a 1x1 convolution gets a
    LAP layer in front, shared by those that read the same map; any other one runs at
    stride 1, at as many times the cost as it skipped pixels, with a LAP layer behind.
    Those LAP layers are named `"<convolution>_lap"`. Models nested in `model` are
    converted too, and a layer that is called several times stays shared.

    Compile the result anew: what `model` was compiled with is not copied. Layers keep
    their `trainable` flags, and LAP layers are trainable even inside a frozen model,
    since their weights are new. For the same reason the result as a whole is trainable
    even if `model` is not; the weights it has from `model` are then frozen one by one.

    Args:
        model: Functional or built Sequential model. A subclass of these keeps its
            class if its constructor is the standard one and comes back as a plain
            model otherwise.
        where: `"pooling"`, or `"all"` to include strided convolutions.
        skip: Names of layers to leave as they are, or a single name.
        concepts: Number of concepts of the LAP layers: an integer; `"auto"`, one
            concept per class in the deepest and a single one in each of the others;
            or a dict from names of LAP layers to integers, automatic for the rest.
        **layer_options: `hidden`, `weighting`, `gating`, `alpha`, `scores`,
            `score_activation`, `initial_score` and `detach_scores` of the LAP layers,
            as for `keras_lap.LAPooling2D`, but with `initial_score=0.95` by default.

    Returns:
        A Functional model, or a Sequential one if `model` is Sequential.

    Raises:
        TypeError: If `model` is no Keras model or an option is unknown.
        ValueError: If `model` has no graph of layers to read, as a subclassed model;
            if it has no place for LAP, in which case the message says why each layer
            that was looked at stays; if one of its layers cannot be copied by its
            config; or if `where`, `skip`, `concepts` or an option is out of its range.

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
    >>> converted = keras_lap.convert(model)
    >>> [(layer.name, layer.concepts) for layer in keras_lap.lap_layers(converted)]
    [('pool', 1), ('head', 10)]
    """
    check_choice("where", where, WHERE)
    graph = _read_graph(model)
    options = _layer_options(layer_options)
    places, left = find_places(graph, where, listed(skip))
    if not places:
        raise ValueError(_nothing_to_convert(model, left))
    laps = [place.rewrite.lap for place in places]
    counts = {
        id(lap.source): count
        for lap, count in zip(laps, choose_concepts(concepts, graph, laps), strict=True)
    }

    def make_lap(part):
        count = counts[id(part.source)]
        return part.layer_class(concepts=count, **part.config, **options)

    return rebuild(graph, places, make_lap)


def _read_graph(model):
    check_model(model)
    if graph_of(model) is not None:
        return Graph(model)
    received = f"Received: {model.name!r} of class {type(model).__name__}"
    if isinstance(model, keras.Sequential):
        raise ValueError(
            f"Expected a Sequential model that is built. {received}. Call its "
            "`build(input_shape)` first."
        )
    raise ValueError(
        "Expected a Functional or Sequential model, whose graph of layers can be "
        f"read. {received}, which has a `call` of its own. Either use "
        "`keras_lap.LAPooling2D` instead of the pooling there, or make the model "
        "Functional first: `keras.Model(x, model.call(x))` with `x = keras.Input(...)`."
    )


def _layer_options(given):
    unknown = sorted(set(given) - set(LAYER_DEFAULTS))
    if unknown:
        raise TypeError(
            f"Expected options of LAP layers, which are {', '.join(LAYER_DEFAULTS)}. "
            f"Received: {', '.join(unknown)}"
        )
    return {**LAYER_DEFAULTS, **given}


def _nothing_to_convert(model, left):
    looked_at = [
        f"\n- {item.layer.name} ({type(item.layer).__name__}): {item.reason}"
        for item in left
    ] or ["\n- no 2D pooling and no strided 2D convolution"]
    return (
        f"Expected {model.name!r} to have a layer that LAP can take the place of. "
        f"Received a model in which these were looked at:{''.join(looked_at)}"
    )
