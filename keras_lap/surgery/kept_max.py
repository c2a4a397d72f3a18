"""Max poolings that stay, with LAP in front."""

from keras import layers

from keras_lap.layers import LAPooling2D
from keras_lap.surgery.rewrite import Lap, LeftAloneError, Own, Rewrite, Zeros

_ONE_PIXEL = (1, (1, 1))


def keeping_max(rewrite, layer, graph):
    """What takes the place of a layer where max poolings stay.

    In front of a max pooling LAP has windows of one pixel: with an open gate it
    multiplies the features of each pixel by its score, and the pooling goes on with the
    largest of what is left. Where it has such windows itself, LAP takes its place.

    Args:
        rewrite: The `Rewrite` of the layer where LAP takes the place of poolings.
        layer: The layer, of any kind.
        graph: The `Graph` it is called in.

    Returns:
        A `Rewrite`.
    """
    if not _replaces_max(rewrite):
        return rewrite
    replacing = rewrite.lap
    alike = {name: replacing.config.get(name) for name in ("dtype", "data_format")}
    name = graph.free_name(f"{layer.name}_lap")
    config = {"name": name, **alike, "base": "first", "pool_size": 1}
    lap = Lap(LAPooling2D, replacing.source, config)
    chain = (lap, *_zeros(rewrite, layer, graph), Own(layer))
    return Rewrite(chain, absorbs=rewrite.absorbs)


def check_not_kept(rewrite, layer, graph):
    """Raises a `LeftAloneError` for a max pooling that has LAP in front of it."""
    if not _replaces_max(rewrite):
        return
    for call in rewrite.absorbs or graph.calls_of(layer):
        producer = graph.producer(call.inputs[0])
        lap = producer and producer.operation
        if isinstance(lap, LAPooling2D) and lap.pool_size in _ONE_PIXEL:
            raise LeftAloneError("it has LAP in front of it already")


def check_gates(plan):
    """Raises a `ValueError` where LAP in front of max poolings would change nothing.

    Args:
        plan: A `ConversionPlan`.
    """
    ungated = [
        "/".join(place.path)
        for place in plan.places
        if _keeps_max(place.rewrite)
        and plan.options_of(place.rewrite.lap)["gating"] is None
    ]
    if ungated:
        raise ValueError(
            "Expected score gating in front of max poolings that stay: single pixels "
            "have no others to be weighed against. Received: keep_max=True and "
            f"gating=None for {ungated}. Pass keep_max=False to have LAP in their "
            "places."
        )


def _replaces_max(rewrite):
    """Whether LAP alone takes the place of a max pooling of several pixels."""
    if len(rewrite.chain) > 1 or rewrite.lap.config.get("base") != "max":
        return False
    absorbed = [call.operation for call in rewrite.absorbs]
    if any(type(operation) is not layers.ZeroPadding2D for operation in absorbed):
        return False
    # The windows of a global pooling are of any size.
    return rewrite.lap.config.get("pool_size") not in _ONE_PIXEL


def _keeps_max(rewrite):
    """Whether a layer stays behind LAP of single pixels."""
    lap, last = rewrite.lap, rewrite.chain[-1]
    is_in_front = rewrite.chain[0] is lap and isinstance(last, Own)
    is_single = lap.config.get("pool_size") in _ONE_PIXEL
    return is_in_front and is_single and not last.changes


def _zeros(rewrite, layer, graph):
    """The padding that LAP would have absorbed, behind LAP: it scores real pixels."""
    for call in rewrite.absorbs[:1]:
        padding = call.operation
        is_replaced = len(graph.calls_of(padding)) == len(rewrite.absorbs)
        name = padding.name if is_replaced else graph.free_name(f"{layer.name}_pad")
        config = {
            "name": name,
            "padding": padding.padding,
            "data_format": padding.data_format,
            "dtype": padding.dtype_policy,
        }
        yield Zeros(config)
