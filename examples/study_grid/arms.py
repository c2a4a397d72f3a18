"""What is done to a network: its LAP layers, and what it is told."""

from dataclasses import dataclass

from keras_lap.surgery.presets import PRESETS

SCRATCH, TRAINED = "scratch", "trained"
# The share of the training over which gates open: features have to form first where
# there are none.
ANNEAL = 0.1
ANNEAL_SCRATCH = 1 / 3

# What the first LAP layer does: gate as all others do, only weigh the pixels of a
# window, or leave its place to what stood there.
GATES, WEIGHS, STAYS = "gates", "weighs", "stays"

# Scores that the task trains too, for networks that are told no places.
LEARNED = PRESETS["labels"]
# Scores that only what is told trains, and gates that can close.
TAUGHT = PRESETS["places"]
# As the preset was before it left max poolings in their places.
REPLACING = {**TAUGHT, "keep_max": False}


@dataclass(frozen=True)
class Arm:
    """One way to train a network.

    Attributes:
        name: Name in cells and tables.
        start: `"scratch"`, or `"trained"`: the network that the arm `original` has
            trained, on the same set and from the same seed.
        lap: Arguments of `keras_lap.plan`, or `None` for a network without LAP.
        told: What it is told beside labels, a key of `study_grid.weights.WEIGHTS`, or
            `None`.
        share: Share of the training images of which this is known.
        anneal: Share of the training over which gates open; 0 for gates that are open
            at once.
        concepts: `"head"` for class concepts in the head alone and a single one
            elsewhere, `"everywhere"` for class concepts in all layers, `"one"` for a
            single one in all.
        only: Addresses of the only layers that get LAP, `None` for all.
        first: What the first LAP layer does: `GATES`, `WEIGHS` or `STAYS`.
    """

    name: str
    start: str = SCRATCH
    lap: dict | None = None
    told: str | None = None
    share: float = 1.0
    anneal: float = ANNEAL
    concepts: str = "head"
    only: str | None = None
    first: str = GATES

    @property
    def has_attributes(self):
        """Whether its concepts are attributes."""
        return self.told in ("attributes", "attributes + absence")

    @property
    def is_tied(self):
        """Whether something ties concepts to classes."""
        is_told = self.told is not None and not self.has_attributes
        return is_told and self.concepts != "one"


def _tuned(name, lap=None, told=None, share=1.0, **options):
    return Arm(name, TRAINED, lap, told, share, **options)


def _taught(told, share):
    return _tuned(f"LAP + {told}, {100 * share:g} %", TAUGHT, told, share)


ORIGINAL = Arm("original")
ORIGINAL_TUNED = _tuned("original, tuned")
LAP_LABELS = _tuned("LAP + labels", LEARNED, "labels")
LAP_MASKS_TUNED = _tuned("LAP + masks, tuned", TAUGHT, "masks", 0.2)
# What the aim of D is about.
LAP_FEW_MASKS = _taught("masks", 0.05)
ACCURACY = (
    ORIGINAL,
    Arm("LAP", lap=LEARNED, anneal=ANNEAL_SCRATCH),
    Arm("LAP + masks", lap=TAUGHT, told="masks", share=0.2, anneal=ANNEAL_SCRATCH),
    ORIGINAL_TUNED,
    _tuned("LAP, tuned", LEARNED),
    LAP_MASKS_TUNED,
)

SHARES = {"masks": (0.01, 0.05, 0.2, 1.0), "boxes": (0.05, 1.0)}
KNOWLEDGE = (
    ORIGINAL_TUNED,
    LAP_LABELS,
    *(
        # A fifth of the masks is what the other questions are about.
        LAP_MASKS_TUNED if (told, share) == ("masks", 0.2) else _taught(told, share)
        for told, shares in SHARES.items()
        for share in shares
    ),
    _tuned("GAIN, 5 %", None, "GAIN", 0.05),
    _tuned("RRR, 5 %", None, "RRR", 0.05),
)
# What else may be done about the first layers, where masks cost accuracy.
CONVERTED_OTHERWISE = (
    _tuned("LAP + masks, 5 %, max pooling replaced", REPLACING, "masks", 0.05),
    *(
        _tuned(
            f"LAP + masks, 5 %, first layer {first}",
            REPLACING,
            "masks",
            0.05,
            first=first,
        )
        for first in (WEIGHS, STAYS)
    ),
)

LAP_MASKS_REPLACED_MAX = _tuned(
    "LAP + masks, max pooling replaced", REPLACING, "masks", 0.2
)


def _changed(
    name,
    told="masks",
    share=0.2,
    anneal=ANNEAL,
    concepts="head",
    only=None,
    **lap,
):
    return _tuned(
        f"ablation: {name}",
        {**TAUGHT, **lap},
        told,
        share,
        anneal=anneal,
        concepts=concepts,
        only=only,
    )


ABLATIONS = (
    LAP_MASKS_TUNED,
    _changed("softmax weighting", weighting="softmax"),
    _changed("alpha 0.5", alpha=0.5),
    _changed("alpha 8", alpha=8.0),
    _changed("no score gating", gating=None),
    _changed("soft scores", score_activation="sigmoid"),
    _changed("scores learn from the task", detach_scores=False),
    _changed("scores start at 0.95", initial_score=0.95),
    _changed("no hidden layer", hidden=None),
    _changed("one concept", concepts="one"),
    _changed("class concepts everywhere", concepts="everywhere"),
    _changed("poolings only", where="pooling"),
    _changed("head only", only="head_pool"),
    _changed("gates open at once", anneal=0.0),
    _changed("gates open until the end", anneal=1.0),
)
LOSSES = tuple(
    _changed(told if " + " in told else f"{told} alone", told=told, share=share)
    for told, share in {
        "masks outside": 0.2,
        "boxes": 0.2,
        "labels": 1.0,
        "areas": 1.0,
        "consistency + labels": 1.0,
        "necessity + areas": 1.0,
        "sufficiency + areas": 1.0,
    }.items()
)
ATTRIBUTES = tuple(
    _tuned(f"LAP + {told}, tuned", TAUGHT, told, 0.2, concepts="everywhere")
    for told in ("attributes", "attributes + absence")
)
ARMS = {
    arm.name: arm
    for arm in (
        *ACCURACY,
        *KNOWLEDGE,
        *CONVERTED_OTHERWISE,
        LAP_MASKS_REPLACED_MAX,
        *ABLATIONS,
        *LOSSES,
        *ATTRIBUTES,
    )
}
