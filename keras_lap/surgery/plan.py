"""Looks at a model and says where LAP layers can go."""

import numbers

from keras_lap.ops.arguments import standardize_sizes
from keras_lap.surgery.concepts import standardize_concepts
from keras_lap.surgery.conversion_plan import ConversionPlan
from keras_lap.surgery.kept_max import check_gates
from keras_lap.surgery.lap_options import LAP_DEFAULTS, check_options
from keras_lap.surgery.presets import preset_options
from keras_lap.surgery.read_graph import read_graph
from keras_lap.surgery.rules import DEFAULT_WHERE, WHERE
from keras_lap.surgery.unshare_poolings import unshare_poolings
from keras_lap.utils.names import check_choice


def plan(
    model,
    where=None,
    skip=(),
    concepts="auto",
    image_size=224,
    preset=None,
    keep_max=None,
    **layer_options,
):
    """Plans the conversion of a model, for looking at and editing first.

    With `where="pooling"` these are replaced: `MaxPooling2D` and `AveragePooling2D`
    with a stride, along with a `ZeroPadding2D` directly in front, and the global
    pooling that leads to the classifier, which an adaptive one to a single pixel is
    too. The LAP layer takes the name of the layer it replaces. Calls of one pooling
    share it where they are in the same model and read the same number of channels;
    others count as poolings of their own, in the same model named `"<pooling>_call2"`
    after the second call and so on, and the name of the pooling stands for all. With
    `where="all"` strided convolutions follow: a 1x1 convolution gets a LAP layer in
    front, shared by those that read the same map; any other one runs at stride 1, at as
    many times the cost as it skipped pixels, with a LAP layer behind. Those LAP layers
    are named `"<convolution>_lap"`. An activation of your own has to act on each pixel
    by itself there. See `keras_lap.surgery.register_rule` for layers of your own.

    Args:
        model: Functional or built Sequential model; it is only read. Models nested in
            it are entered, at any depth.
        where: `"pooling"`, or `"all"` to include strided convolutions; by itself that
            of the preset, and `"pooling"` without one.
        skip: List of addresses of layers to leave as they are, or a single one, or
            `None`; see `ConversionPlan.skip`.
        concepts: Number of concepts of the LAP layers: an integer; a dict from stages
            or addresses to integers, automatic for the rest; or `"auto"`: one concept
            per class in every LAP layer for at most 32 classes, else class concepts
            in the last stage only and a single one, for no class, elsewhere. A model
            whose output is not one number per class has a single one everywhere.
        image_size: Height and width, one integer or two, that costs are counted for
            where the model takes images of any size.
        preset: What the network will be told, for options that opened the gates of
            trained networks: `"labels"` for labels alone, which is `where="all",
            hidden=32`; `"places"` for masks or boxes, which is that and `keep_max=True,
            score_activation="ramp", initial_score=0.5, detach_scores=True`. Options
            that are given override it.
        keep_max: Whether max poolings stay, each with LAP on single pixels in front:
            what passes on is the largest of the features times their scores, and not
            their weighted mean, and `weighting` and `alpha` do nothing. These LAP
            layers are named `"<pooling>_lap"`, and come before a `ZeroPadding2D`
            directly in front. Where a max pooling itself takes single pixels, LAP is in
            its place. By itself that of the preset, and `False` without one.
        **layer_options: `hidden`, `weighting`, `gating`, `alpha`, `scores`,
            `score_activation`, `initial_score`, `detach_scores` and `score_gain` of the
            LAP layers, as for `keras_lap.LAPooling2D`, but with other defaults:
            `initial_score=0.95`, and `score_gain=None`, which is 10 for detached scores
            and 1 for those that the task trains too.

    Returns:
        A `ConversionPlan`.

    Raises:
        TypeError: If `model` is no Keras model, or an option is unknown.
        ValueError: If `model` has no graph of layers to read, as a subclassed model,
            if an argument is out of its range, or if LAP would have no gate in front of
            a max pooling that stays.

    Example:

    >>> import keras, keras_lap
    >>> model = keras.applications.MobileNet(weights=None, classes=10)
    >>> plan = keras_lap.plan(model, where="all").only(stages=[3, 4])
    >>> [(row.lap, row.stage, row.concepts) for row in plan.rows if row.lap]
    [('conv_dw_6_lap', 3, 10), ('conv_dw_12_lap', 4, 10)]
    """
    given = {"where": where, "keep_max": keep_max}
    given = {name: value for name, value in given.items() if value is not None}
    defaults = {"where": DEFAULT_WHERE, "keep_max": False, **LAP_DEFAULTS}
    options = {**defaults, **preset_options(preset), **given, **layer_options}
    where, keep_max = options.pop("where"), options.pop("keep_max")
    check_choice("where", where, WHERE)
    check_choice("keep_max", keep_max, (False, True))
    concepts = standardize_concepts(concepts)
    image_size = standardize_sizes("image_size", image_size, 2)
    graph = unshare_poolings(read_graph(model))
    check_options(options)
    single = isinstance(skip, str | tuple) and skip
    addresses = [skip] if single else list(skip or ())
    named = concepts if isinstance(concepts, dict) else {}
    if isinstance(concepts, int):
        options["concepts"] = concepts
    made = ConversionPlan(graph, where, keep_max, options, image_size)
    if addresses:
        try:
            made.skip(*addresses)
        except ValueError as error:
            if not isinstance(skip, tuple):
                raise
            several = "A tuple is the path to one layer: pass a list for several."
            raise ValueError(f"{error} {several}") from error
    for key, count in named.items():
        if isinstance(key, numbers.Integral):
            made.set(stages=key, concepts=count)
        else:
            made.set(key, concepts=count)
    check_gates(made)
    return made
