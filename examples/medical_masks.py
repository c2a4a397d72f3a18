"""Outlines of some lesions keep a network from reading the hospital's tag.

The scans are drawn here, and behave as such data do: they are grey, few have a lesion,
and text that one hospital burns into its scans goes along with lesions in training. In
`test` it still does; in `test_shifted`, as in another hospital, it says nothing. A
network with a single sigmoid output learns them twice: from the labels alone, and with
the outlines of some lesions, by `MaskSupervision`. A scan without a lesion has a mask
for free, an empty one; `"valid"` tells it from a mask that nobody has drawn.

Keras takes no `class_weight` beside a dict of targets, so `sample_weight` balances the
classes. The networks differ in more than the loss: the second has the options of LAP
layers that unlearning a shortcut takes.
"""

import argparse
import pathlib

import keras
import numpy as np
from common.digit_tools import print_table
from common.lesion_scans import SIDE, draw_scans
from common.small_network import TOLD_PLACES, lap_features
from keras import layers

import keras_lap
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.evaluation import energy_in_mask, pointing_game
from keras_lap.losses import MaskSupervision

BATCH_SIZE = 32
# Share of scans whose tag tells the label: here, and in another hospital.
FOLLOWS, SHIFTED = 0.95, 0.0
SPECIFICITY = 0.9
CLASS_NAMES = ["no finding", "lesion"]


def main(arguments=None):
    """Trains the networks, prints the table, and writes figure and report.

    Args:
        arguments: Command line, by default that of the process.
    """
    arguments = parse_arguments(arguments)
    train = draw_scans(arguments.train, FOLLOWS, seed=0)
    tests = {
        "test": draw_scans(arguments.test, FOLLOWS, seed=1),
        "test_shifted": draw_scans(arguments.test, SHIFTED, seed=2),
    }
    targets = with_some_masks(train, arguments.masks)
    # The term is averaged over all scans, so with few masks its weight is large.
    supervision = KnowledgeInjection([MaskSupervision()], weights=5.0)
    models = {
        "labels": build_network(initial_score=0.95),
        "labels, some masks": build_network(**TOLD_PLACES),
    }
    fit(models["labels"], train, train["label"], arguments.epochs)
    fit(
        models["labels, some masks"],
        train,
        targets,
        arguments.epochs,
        callbacks=[supervision],
    )

    explanations = {
        name: keras_lap.explain(
            model,
            tests["test_shifted"]["image"],
            labels=tests["test_shifted"]["label"],
            masks=tests["test_shifted"]["mask"],
            concept_names=["lesion"],
            class_names=CLASS_NAMES,
        )
        for name, model in models.items()
    }
    print_results(models, tests, explanations)
    draw(explanations, pathlib.Path(arguments.figure))


def parse_arguments(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=6, help="of each training")
    parser.add_argument("--train", type=int, default=3000, help="number of scans")
    parser.add_argument("--test", type=int, default=1000, help="of each kind")
    parser.add_argument(
        "--masks", type=float, default=0.2, help="share of lesions with an outline"
    )
    parser.add_argument(
        "--figure", default="results/medical_masks.png", help="PNG to write"
    )
    return parser.parse_args(arguments)


def with_some_masks(split, share):
    """Targets in which a share of the lesions is outlined, and no scan without one."""
    # By other random numbers than those that drew the scans.
    is_drawn = np.random.default_rng(3).random(len(split["label"])) < share
    has_lesion = split["label"] == 1
    count = np.sum(has_lesion & is_drawn)
    print(f"{len(has_lesion)} scans, {has_lesion.sum()} lesions, {count} outlined")
    return {
        "label": split["label"],
        "mask": split["mask"],
        "valid": {"mask": ~has_lesion | is_drawn},
    }


def build_network(**options):
    """The small network, for scans.

    Args:
        **options: Of the LAP layers, which have one concept, the lesion.

    Returns:
        A compiled model from scans `(N, 64, 64, 1)` in `[0, 255]` to the probability of
        a lesion, `(N, 1)`, with the same initial weights every time.
    """
    keras.utils.set_random_seed(0)
    scan = keras.Input((SIDE, SIDE, 1), name="scan")
    x = lap_features(scan, concepts=1, **options)
    return keras.Model(scan, layers.Dense(1, activation="sigmoid")(x))


def fit(model, split, targets, epochs, callbacks=()):
    """Trains with lesions and scans without one in balance."""
    labels = split["label"]
    # Both classes weigh the same in sum, and all scans one on average.
    weights = len(labels) / (2 * np.bincount(labels, minlength=2))
    steps = epochs * -(-len(labels) // BATCH_SIZE)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        "binary_crossentropy",
        metrics=[
            keras.metrics.AUC(name="auc"),
            keras.metrics.SensitivityAtSpecificity(SPECIFICITY, name="sensitivity"),
        ],
    )
    model.fit(
        split["image"],
        targets,
        sample_weight=weights[labels],
        batch_size=BATCH_SIZE,
        epochs=epochs,
        verbose=2,
        callbacks=list(callbacks),
    )


def print_results(models, tests, explanations):
    """Prints what the networks find, and where their maps of lesions lie."""
    rows = {}
    masks = with_lesion(next(iter(explanations.values()))).masks
    for name, model in models.items():
        found = [
            model.evaluate(test["image"], test["label"], verbose=0, return_dict=True)
            for test in tests.values()
        ]
        maps = with_lesion(explanations[name]).of("lesion")
        rows[name] = (
            *(each["auc"] for each in found),
            *(each["sensitivity"] for each in found),
            pointing_game(maps, masks).mean,
            energy_in_mask(maps, masks).mean,
        )
    even = masks.mean()
    rows["a map that is even everywhere"] = *[None] * 4, even, even
    print(f"\nAUC, and sensitivity at a specificity of {SPECIFICITY}; maps of lesions")
    print("in test_shifted:")
    columns = ("AUC test", "AUC shifted", "sens. test", "sens. shifted")
    print_table((*columns, "pointing", "energy in mask"), rows)


def with_lesion(explanation):
    """The scans that show a lesion."""
    return explanation[explanation.labels == 1]


def draw(explanations, path, rows=4):
    """Writes a figure of the first lesions, and a report of all scans beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = {name: with_lesion(each)[:rows] for name, each in explanations.items()}
    first = next(iter(shown.values()))
    keras_lap.draw_maps(
        first.images,
        {name: each.of("lesion") for name, each in shown.items()},
        masks=first.masks,
        path=path,
    )
    page = path.with_suffix(".html")
    keras_lap.report(explanations, page, title="Lesions, in another hospital")
    print(f"Figure written to {path}, and a page to leaf through to {page}")


if __name__ == "__main__":
    main()
