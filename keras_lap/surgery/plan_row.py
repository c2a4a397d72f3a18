"""A line of a conversion plan."""

from dataclasses import dataclass, field

from keras_lap.surgery.cost import Cost


@dataclass(frozen=True)
class PlanRow:
    """One layer that was looked at.

    Attributes:
        layer: Its address: the names that lead to it, joined by slashes.
        kind: Name of its class.
        action: What is done: `"LAP in its place"`, `"LAP in front"`, `"LAP in front,
            stride 1"`, `"stride 1, LAP behind"` or `"stays"`; `"LAP behind"` too, by
            rules of one's own.
        reason: Why it stays, or an empty string.
        lap: Address of the LAP layer, or `None`. Rows with the same one share it.
        window: Height and width of the LAP layer's windows; `None` for the whole map.
        stride: Steps between the windows; `None` for the whole map.
        stage: How often the image was halved before the pixels that LAP scores, as
            far as Keras knows the sizes of the maps on the way.
        receptive_field: Height and width, in pixels of the image, of what each of
            these pixels sees; `None` if Keras does not know the size of the map or of
            one before it. This and `stage` are those of the first of several calls.
        concepts: Number of concepts of the LAP layer.
        detach_scores: Whether knowledge alone trains its scores, and not the task;
            `None` where features stand for scores.
        score_gain: How many times as fast as the network its scores learn; likewise.
        cost: The added `Cost` for one image; a shared LAP layer counts once. What it
            does with a map of unknown size is not counted.
    """

    layer: str
    kind: str
    action: str = "stays"
    reason: str = ""
    lap: str | None = None
    window: tuple[int, int] | None = None
    stride: tuple[int, int] | None = None
    stage: int | None = None
    receptive_field: tuple[float, float] | None = None
    concepts: int | None = None
    detach_scores: bool | None = None
    score_gain: float | None = None
    cost: Cost = field(default_factory=Cost)
