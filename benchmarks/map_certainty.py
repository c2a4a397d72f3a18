"""What maps gain from the layers' certainty: validation splits of the study's networks.

Maps of networks that the study has fine-tuned with masks are read twice: from scores
alone, and as the library does, times `ScoreHead.certainty`. All are of the class that
the network answers, rightly.
"""

import pathlib
import sys
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))

from study_grid.explain_cell import faithfulness
from study_grid.validity import METRICS, lap_maps, validity
from taught_networks import parse, taught_networks
from write_rows import write_rows

from keras_lap.layers.score_head import ScoreHead


def main(arguments=None):
    """Measures the maps of every such network that is there, and writes a CSV file."""
    parsed = parse(arguments, __doc__, "results/map_certainty.csv")
    networks = taught_networks(parsed)
    header = ["set", "family", "maps", "images"]
    header += ["insertion", "deletion", "road", "mu_fidelity"]
    header += [metric.__name__ for metric in METRICS]
    write_rows(parsed.csv, header, (row for each in networks for row in _rows(each)))


def _rows(network):
    cell, sizes, model, images, targets, masks = network
    read = (model, images, targets, True)
    with mock.patch.object(ScoreHead, "certainty", lambda self, logits: None):
        alone = lap_maps(*read)
    for name, maps in (("scores alone", alone), ("with certainty", lap_maps(*read))):
        found = {
            metric: function(model, images, maps, targets, batch_size=50, seed=0).mean
            for metric, function in faithfulness(sizes, images.shape[1]).items()
        }
        found |= validity(maps, masks)
        values = [f"{value:.4f}" for value in found.values()]
        yield [cell.set, cell.family, name, len(images), *values]


if __name__ == "__main__":
    main()
