"""Explanations, a comparison and a history for the tests of the report."""

import types

import numpy as np

from keras_lap.evaluation import MetricResult
from keras_lap.explanation import Explanation

# A name that would end the script it stands in, and one that would be an element.
CLASSES = ["</script><script>alert(1)</script>", "<b>cat</b> & \"dog\" 'fox'", "owl"]
LABELS = np.array([0, 1, 2, 0, 1, 2, 0, 1])
PREDICTIONS = np.array(
    [
        [0.8, 0.1, 0.1],
        [0.2, 0.7, 0.1],
        [0.1, 0.3, 0.6],
        [0.3, 0.65, 0.05],  # wrong
        [0.05, 0.9, 0.05],
        [0.55, 0.15, 0.3],  # wrong
        [0.95, 0.04, 0.01],
        [0.2, 0.5, 0.3],
    ]
)
SIDE = 32


def squares():
    """Maps `(8, 32, 32, 3)`: in a quarter of the image each, of uneven heights."""
    maps = np.zeros((8, SIDE, SIDE, 3), np.float32)
    half = SIDE // 2
    for sample in range(8):
        maps[sample, :half, :half, 0] = 0.2
        maps[sample, :half, half:, 1] = 0.4
        maps[sample, half:, :half, 2] = 0.8
        # So much of the label's map, times its own height, lies outside of the mask.
        maps[sample, half:, half:, LABELS[sample]] += 0.1 * sample
    return maps


def explanation(maps=None, **changes):
    masks = np.ones((8, SIDE, SIDE), bool)
    masks[:, SIDE // 2 :, SIDE // 2 :] = False
    masks[7] = False
    fields = {
        "maps": squares() if maps is None else maps,
        "images": np.random.default_rng(0).integers(
            0, 256, (8, SIDE, SIDE, 3), np.uint8
        ),
        "predictions": PREDICTIONS,
        "labels": LABELS,
        "masks": masks,
        "concept_names": CLASSES,
        "class_names": CLASSES,
        "class_concepts": np.eye(3),
        "files": [f"<i>{index}</i>.png" for index in range(8)],
        "combine": "flow",
    }
    return Explanation(**fields | changes)


def comparison():
    def row(explainer, metric, mean, higher, protocol="same model", left_out=0):
        return {
            "protocol": protocol,
            "model": "with LAP",
            "explainer": explainer,
            "metric": metric,
            "mean": mean,
            "low": mean - 0.1,
            "high": mean + 0.1,
            "counted": 8 - left_out,
            "left_out": left_out,
            "higher_is_better": higher,
        }

    # Better by chance than Edge, which has one bad image, and clearly than Grad-CAM.
    values = {
        "LAP": [0.9] * 8,
        "Grad-CAM": [0.6] * 6 + [np.nan] * 2,
        "Edge": [0.95] * 7 + [-0.65],
    }
    original = {**row("Grad-CAM", "insertion", 0.3, True, "two models")}
    x = np.linspace(0, 1, 5)
    return types.SimpleNamespace(
        rows=[
            row("LAP", "pointing_game", 0.9, True),
            row("Grad-CAM", "pointing_game", 0.6, True, left_out=2),
            row("Edge", "pointing_game", 0.75, True),
            row("LAP", "deletion", 0.2, False),
            row("Grad-CAM", "deletion", 0.5, False),
            row("Edge", "deletion", float("nan"), False),
            row("LAP", "sparsity", 0.7, None),
            row("LAP", "insertion", 0.6, True, "two models"),
            original | {"model": "original"},
            row("Occlusion", "maps", np.nan, None) | {"error": "ValueError: <too> big"},
        ],
        curves=[
            {
                "protocol": "same model",
                "model": "with LAP",
                "explainer": explainer,
                "metric": "deletion",
                "x": x,
                "y": 1 - x**power,
                "x_name": "share removed",
                "y_name": "probability",
            }
            for explainer, power in (("LAP", 0.5), ("Grad-CAM", 1))
        ],
        results={
            ("same model", "with LAP", name, "pointing_game"): MetricResult(array)
            for name, array in values.items()
        },
        accuracy={"with LAP": 0.75, "original": 0.5},
    )


HISTORY = {
    "loss": [1.0, 0.5, np.nan],
    "accuracy": [0.4, 0.6, 0.7],
    "val_loss": [1.2, 0.8, 0.6],
    "val_f1": np.eye(3)[:, :2],
    "stopped before": [],
}
