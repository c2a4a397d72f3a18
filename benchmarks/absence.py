"""What `Absence` does beside `ConceptLabels` in networks trained from scratch.

The small network of `examples/attributes.py` learns from labels and half of the
attributes of each image, with `Absence` at several weights. A table and a CSV file tell
which share of the digits and of the attributes of test images is told right, and how
well the maps of the attributes lie on the digit.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))

import numpy as np
from attributes import ATTRIBUTES, half_known, told, validity_of_present
from common.digit_tools import accuracy, load_data, train
from write_rows import write_rows

import keras_lap
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import Absence, ConceptLabels

COLUMNS = ("digits", "attributes", "pointing game", "energy in the mask")


def main(arguments=None, config="clutter"):
    """Trains a network for each weight and writes a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--weights", type=float, nargs="+", default=[0, 0.1, 0.3])
    parser.add_argument("--data-dir")
    parser.add_argument("--csv", default="results/absence.csv")
    arguments = parser.parse_args(arguments)
    data = load_data(arguments.data_dir, config, ("train", "test"))
    rows = (
        [f"{weight:g}", arguments.epochs, *_trained(data, weight, arguments.epochs)]
        for weight in arguments.weights
    )
    write_rows(arguments.csv, ["weight of Absence", "epochs", *COLUMNS], rows)


def _trained(data, weight, epochs):
    """What a network has learned with a weight of `Absence`, as text."""
    split, test = data["train"], data["test"]
    known, _ = half_known(split["label"])
    model = train(
        split,
        known,
        epochs,
        KnowledgeInjection(
            [ConceptLabels(), Absence("concepts")], weights=[1.0, weight]
        ),
        concepts=len(ATTRIBUTES),
        initial_score=0.05,
    )
    maps = keras_lap.explain(model, test["image"]).maps
    found = (
        accuracy(model, test),
        np.mean(told(maps, test)),
        *validity_of_present(maps, test),
    )
    return [f"{value:.3f}" for value in found]


if __name__ == "__main__":
    main()
