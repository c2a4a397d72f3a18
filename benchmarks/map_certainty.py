"""What maps gain from the layers' certainty: validation splits of the study's networks.

Maps of networks that the study has fine-tuned with masks are read twice: from scores
alone, and as the library does, times `ScoreHead.certainty`. All are of the class that
the network answers, rightly.
"""

import argparse
import pathlib
import sys
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))

import numpy as np
from study_grid.answers import masks_of, right_answers
from study_grid.arms import LAP_MASKS_TUNED
from study_grid.cell import TRAIN, Cell
from study_grid.explain_cell import faithfulness
from study_grid.quality import predict
from study_grid.sizes import SIZES
from study_grid.validity import METRICS, lap_maps, validity
from study_grid.workshop import Workshop
from write_rows import write_rows

from keras_lap.layers.score_head import ScoreHead


def main(arguments=None):
    """Measures the maps of every such network that is there, and writes a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="core")
    parser.add_argument("--images", type=int, default=32, help="per network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", default="results/study")
    parser.add_argument("--csv", default="results/map_certainty.csv")
    arguments = parser.parse_args(arguments)
    workshop = Workshop(arguments.folder, SIZES[arguments.size])
    cells = [
        Cell(TRAIN, name, family, arguments.seed, LAP_MASKS_TUNED.name)
        for name in workshop.sizes.sets
        for family in workshop.sizes.families
    ]
    cells = [cell for cell in cells if workshop.network_path(cell).exists()]
    if not cells:
        raise FileNotFoundError(
            f"Expected networks of the study in {workshop.folder}. Received: none. Run "
            "`make study` first."
        )
    rows = (row for cell in cells for row in _rows(cell, workshop, arguments.images))
    header = ["set", "family", "maps", "images", *faithfulness(workshop.sizes)]
    header += [metric.__name__ for metric in METRICS]
    write_rows(arguments.csv, header, rows)


def _rows(cell, workshop, count):
    network, data = workshop.network(cell), workshop.data(cell)["validation"]
    targets = right_answers(data["label"], predict(network, data["image"]))
    chosen = np.flatnonzero(targets >= 0)[:count]
    if not len(chosen):
        return
    images, targets = data["image"][chosen], targets[chosen]
    masks = masks_of(data["mask"][chosen], targets)
    read = (network, images, targets, True)
    with mock.patch.object(ScoreHead, "certainty", lambda self, logits: None):
        alone = lap_maps(*read)
    for name, maps in (("scores alone", alone), ("with certainty", lap_maps(*read))):
        found = {
            metric: function(
                network, images.astype("float32"), maps, targets, batch_size=50, seed=0
            ).mean
            for metric, function in faithfulness(workshop.sizes).items()
        }
        found |= validity(maps, masks)
        values = [f"{value:.4f}" for value in found.values()]
        yield [cell.set, cell.family, name, len(chosen), *values]


if __name__ == "__main__":
    main()
