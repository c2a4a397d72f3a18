"""What deletion and ROAD measure once all that a map shows is gone.

Maps of LAP are zero nearly everywhere, and where importance is equal, the metrics that
go by the order of pixels draw it at random. So they are measured once more with orders
of the zeros: one that says nothing new, nearest to the map first, and one by what each
pixel adds to the score of the class, or takes from it, in the last features. Beside
them stand the true masks, as good an answer to where the class is as there can be, and
two explainers that order all pixels. All are of networks that the study has fine-tuned
with masks, on validation splits, of the class that the network answers, rightly.
"""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))

import numpy as np
from scipy.ndimage import distance_transform_edt
from study_grid.explain_cell import explainer, faithfulness
from study_grid.validity import lap_maps
from taught_networks import parse, taught_networks
from write_rows import write_rows

from keras_lap.evaluation.explainers.resized import resized
from keras_lap.evaluation.score_gradients import ScoreGradients

BY_ORDER = ("insertion", "deletion", "road")
RIVALS = ("Occlusion", "RISE")
GONE = ("probability, a sixteenth gone", "probability, all gone")


def main(arguments=None):
    """Measures the maps of every such network that is there, and writes a CSV file."""
    parsed = parse(arguments, __doc__, "results/after_the_map.csv")
    networks = taught_networks(parsed)
    header = ["set", "family", "maps", "images", *BY_ORDER, *GONE]
    write_rows(parsed.csv, header, (row for each in networks for row in _rows(each)))


def _rows(network):
    cell, sizes, model, images, targets, masks = network
    lap = lap_maps(model, images, targets, True)
    maps = {
        "LAP": lap,
        "LAP, zeros by nearness": by_nearness(lap),
        "LAP, zeros by share": by_share(lap, shares(model, images, targets)),
        "true masks": masks.astype("float32"),
        "true masks, zeros by nearness": by_nearness(masks.astype("float32")),
    }
    maps |= {
        name: explainer(name, sizes).explain(model, images, targets) for name in RIVALS
    }
    for name, found in maps.items():
        results = {
            metric: function(model, images, found, targets, batch_size=50, seed=0)
            for metric, function in faithfulness(sizes, images.shape[1]).items()
            if metric in BY_ORDER
        }
        curve = results["deletion"].curve
        values = [result.mean for result in results.values()]
        mean = curve.y.mean(axis=0)
        values += [np.interp(share, curve.x, mean) for share in (1 / 16, 1)]
        values = [f"{value:.4f}" for value in values]
        yield [cell.set, cell.family, name, len(images), *values]


def by_nearness(maps):
    """Maps whose zeros are negative: minus the distance to the nearest other pixel.

    Args:
        maps: float32 `(N, H, W)`, not negative.

    Returns:
        float32 `(N, H, W)`, the same where the map is not zero. A map of zeros stays.
    """
    found = maps.copy()
    for each in found:
        if each.any():
            each -= distance_transform_edt(each == 0)
    return found


def by_share(maps, shares):
    """Maps whose zeros are negative, and higher where the share in the score is.

    Args:
        maps: float32 `(N, H, W)`, not negative.
        shares: float32 `(N, H, W)`.

    Returns:
        float32 `(N, H, W)`, the same where the map is not zero.
    """
    highest = np.abs(shares).max(axis=(1, 2), keepdims=True)
    scaled = np.divide(shares, highest, out=np.zeros_like(shares), where=highest > 0)
    return np.where(maps > 0, maps, scaled - 2)


def shares(model, images, targets):
    """What pixels add to the score of a class: features times gradients, summed.

    Of features that a pooling by fixed scores and a dense layer follow, as in the
    networks here, these are all of the score but for the bias. With negative values and
    at the size of the images, but otherwise as in HiResCAM (Draelos and Carin, "Use
    HiResCAM instead of Grad-CAM for faithful explanations of convolutional neural
    networks", 2020).

    Args:
        model: A network.
        images: float32 `(N, H, W, 3)`.
        targets: int `(N,)`.

    Returns:
        float32 `(N, H, W)`.
    """
    features_of = ScoreGradients(model).to_features(None, "channels_last")
    features, gradients = features_of(images, targets)
    return resized(np.sum(features * gradients, axis=-1), images.shape[1:3])


if __name__ == "__main__":
    main()
