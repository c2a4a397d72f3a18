"""What it takes to open the gate in a trained network: the demo, one change at a time.

The first variant is the demo. Every other one converts its cheating network with LAP in
the place of all poolings, and fine-tunes it as the demo does but for one choice more.
What counts is the accuracy on the validation split whose patch has a random colour, and
how far it falls behind that on the split with the usual patch. How much of the maps
lies on the digit is told beside them.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "examples"))

import keras
import quickstart
from common.digit_tools import accuracy, maps_of_labels, validity
from write_rows import write_rows

import keras_lap

ENERGY = "energy in the mask"
VARIANTS = {
    "as in the demo": {"keep_max": True},
    "LAP in the place of all poolings": {},
    "scores learn from the task too": {
        "detach_scores": False,
        "score_gain": 10.0,
    },
    "soft gates": {"score_activation": "sigmoid"},
    "poolings only": {"where": "pooling", "skip": []},
    "class concepts in every layer": {"concepts": 10},
    "the first pooling stays": {
        "skip": ["conv1_conv", "pool1_pool"],
        "concepts": {2: 1},
    },
    "the first pooling does not gate": {},
}
# Settings of single layers.
LAYERS = {"the first pooling does not gate": {"pool1_pool": {"gating": None}}}


def main(arguments=None, config="decoy"):
    """Trains every variant and writes a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--masks", type=float, default=0.2)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS))
    parser.add_argument("--data-dir")
    parser.add_argument("--csv", default="results/opening_the_gate.csv")
    arguments = parser.parse_args(arguments)
    splits = ("train", "validation", "validation_shifted")
    data = quickstart.load_data(arguments.data_dir, config, splits)
    rows = (
        [name, arguments.epochs, *_fine_tuned(name, data, arguments)]
        for name in arguments.variants
    )
    write_rows(arguments.csv, ["variant", "epochs", *splits[1:], ENERGY], rows)


def _fine_tuned(name, data, arguments):
    """Accuracy of a variant on both validation splits, and `ENERGY`, as text."""
    print(f"\n== {name}")
    keras.utils.set_random_seed(0)
    original = quickstart.load_original(data)
    plan = quickstart.plan_lap(original, **{"keep_max": False, **VARIANTS[name]})
    for layer, settings in LAYERS.get(name, {}).items():
        plan = plan.set(layer, **settings)
    print(plan)
    model = keras_lap.convert(original, plan)
    quickstart.fine_tune(model, data, arguments.epochs, arguments.masks)
    for split in ("validation", "validation_shifted"):
        yield f"{accuracy(model, data[split]):.3f}"
    shown = data["validation_shifted"]
    _, energy = validity(maps_of_labels(model, shown), shown["mask"])
    yield f"{energy:.3f}"


if __name__ == "__main__":
    main()
