"""How much of everything: the core grid, a quick one for tests, a large one."""

from dataclasses import dataclass

from study_grid.arms import TRAINED
from study_grid.families import FAMILIES
from study_grid.sets import CORE_SETS

EXPLAINERS = (
    "LAP",
    "GradCAM",
    "GradCAMPlusPlus",
    "LayerCAM",
    "VanillaGradients",
    "GradientInput",
    "IntegratedGradients",
    "SmoothGrad",
    "Occlusion",
    "RISE",
    "Random",
    "CenterGaussian",
    "Edge",
)


@dataclass(frozen=True)
class Sizes:
    """Amounts of work.

    Attributes:
        train: Number of training images, `None` for as many as the data set has.
        tested: Number of test images that validity of LAP maps is measured on.
        explained: Number of test images that explainers are compared on.
        draws: Gradients behind one map of the explainers that average over several.
        masks: Masks behind one map of RISE.
        steps: Steps of the curves of insertion and deletion.
        subsets: Subsets of `mu_fidelity`.
        grid: Cells per side of its images, which it has to divide.
        randomised: Number of images of the sanity check.
        timed: Number of images of a step that is timed.
        timed_steps: Number of steps of training that are timed together.
        rounds: Rounds of timing.
        epochs: Epochs, as a multiple of those of the data set; 0 for one.
        explainers: Names of the explainers that are compared.
        sets: Names of the data sets.
        families: Names of the families of networks.
        arms: Names of the arms, `None` for all that a question asks for.
    """

    train: int | None = None
    tested: int = 300
    explained: int = 16
    draws: int = 16
    masks: int = 400
    steps: int = 16
    subsets: int = 50
    grid: int = 8
    randomised: int = 8
    timed: int = 32
    timed_steps: int = 8
    rounds: int = 5
    epochs: float = 1.0
    explainers: tuple = EXPLAINERS
    sets: tuple = tuple(CORE_SETS)
    families: tuple = tuple(FAMILIES)
    arms: tuple | None = None

    def epochs_of(self, arm, study_set):
        """Number of epochs of training of an arm."""
        own = study_set.tuned_epochs if arm.start == TRAINED else study_set.epochs
        return max(1, round(self.epochs * own))


CORE = Sizes()
LARGE = Sizes(
    tested=1000,
    explained=100,
    draws=32,
    masks=2000,
    steps=32,
    subsets=200,
    randomised=32,
    epochs=2.0,
)
QUICK = Sizes(
    train=32,
    tested=16,
    explained=2,
    draws=2,
    masks=4,
    steps=4,
    subsets=4,
    randomised=2,
    timed=4,
    timed_steps=1,
    rounds=1,
    epochs=0.0,
    explainers=("LAP", "GradCAM", "IntegratedGradients", "RISE", "Random"),
    sets=("clutter", "decoy"),
    families=("ResNet50V2", "MobileNetV2"),
    arms=(
        "original",
        "original, tuned",
        "LAP + masks, tuned",
        "RRR, 5 %",
        "GAIN, 5 %",
        "ablation: soft scores",
        "ablation: boxes alone",
    ),
)
SIZES = {"core": CORE, "quick": QUICK, "large": LARGE}
