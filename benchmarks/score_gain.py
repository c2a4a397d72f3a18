"""How fast scores may learn that the task trains: one network of the study, fine-tuned.

Converted networks are told labels alone, and differ in nothing but `score_gain`. Scores
that outrun the layers behind them close their gates: the mean scores tell.
"""

import argparse
import itertools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))

from keras import ops
from study_grid.arms import LEARNED, ORIGINAL, TRAINED, Arm
from study_grid.cell import TRAIN, Cell
from study_grid.compute import compute
from study_grid.export_sets import export_sets
from study_grid.quality import predict, quality
from study_grid.sizes import SIZES
from study_grid.training import train
from study_grid.workshop import Workshop
from write_rows import write_rows

from keras_lap.layers import score_tape

IMAGES = 64


def main(arguments=None):
    """Fine-tunes a network with every gain and writes a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gains", nargs="+", type=float, default=[1.0, 10.0])
    parser.add_argument("--anneal", nargs="+", type=float, default=[0.1, 1 / 3])
    parser.add_argument("--set", default="beetles")
    parser.add_argument("--family", default="ResNet50V2")
    parser.add_argument("--size", choices=SIZES, default="core")
    parser.add_argument("--data-dir")
    parser.add_argument("--folder", default="results/study")
    parser.add_argument("--csv", default="results/score_gain.csv")
    arguments = parser.parse_args(arguments)
    workshop = Workshop(arguments.folder, SIZES[arguments.size])
    export_sets(workshop, [arguments.set], arguments.data_dir)
    original = Cell(TRAIN, arguments.set, arguments.family, 0, ORIGINAL.name)
    if not workshop.network_path(original).exists():
        compute(original, workshop)
    rows = (
        [f"{anneal:.2f}", gain, *_fine_tuned(original, workshop, gain, anneal)]
        for anneal, gain in itertools.product(arguments.anneal, arguments.gains)
    )
    write_rows(arguments.csv, ["anneal", "gain", "validation", "mean scores"], rows)


def _fine_tuned(original, workshop, gain, anneal):
    """Accuracy on `validation`, and the mean score of each LAP layer, as text."""
    lap = {**LEARNED, "score_gain": gain}
    arm = Arm(f"gain {gain}", TRAINED, lap, anneal=anneal)
    data, study_set = workshop.data(original), workshop.study_set(original)
    network = train(
        arm,
        workshop.network(original),
        data["train"],
        study_set,
        original.seed,
        workshop.sizes.epochs_of(arm, study_set),
    )
    images, labels = data["validation"]["image"], data["validation"]["label"]
    with score_tape() as records:
        network(images[:IMAGES].astype("float32"))
    means = [float(ops.mean(record.attention)) for record in records]
    accuracy = quality(predict(network, images), labels)
    return f"{accuracy:.3f}", " ".join(f"{mean:.3f}" for mean in means)


if __name__ == "__main__":
    main()
