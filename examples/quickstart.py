"""A trained network cheats, is shown to cheat, and is taught to look at the digit.

The network has learned `cluttered_digits/decoy`, where a coloured patch in a corner
gives the label away. On images whose patch has a random colour it fails. It is then
converted to local attention pooling, which changes nothing yet, and fine-tuned with
the labels of all training images and the masks of some.
"""

import argparse
import json
import os
import pathlib
import sys
import time

import keras
import numpy as np
from common.digit_backbone import BATCH_SIZE, build_backbone, compile_for_digits
from common.digit_tools import accuracy, draw, load_data, maps_of_labels, validity
from common.save_without_optimizer import save_without_optimizer

import keras_lap
from keras_lap.callbacks import GateAnneal, KnowledgeInjection
from keras_lap.evaluation.explainers import GradCAM
from keras_lap.losses import MaskSupervision

HERE = pathlib.Path(__file__).parent
CHECKPOINT = HERE / "backbone" / "decoy.keras"
SPLITS = ("train", "validation_shifted", "test", "test_shifted")
CEILING_LOG = HERE / "backbone" / "log.json"
# Beside it lies the network that `make report` evaluates.
FIGURE = "results/quickstart.png"


def main(arguments=None, config="decoy"):
    """Runs the whole story and writes the figure.

    Args:
        arguments: Command line, by default that of the process.
        config: Configuration of the data set.
    """
    arguments = parse_arguments(arguments)
    print("\n== 1. Real handwriting in clutter, with a patch that tells the label")
    print("Drawn here; nothing is downloaded, whatever TFDS says")
    data = load_data(arguments.data_dir, config, SPLITS)
    # Not before the data are there: building them draws from the same random numbers.
    keras.utils.set_random_seed(0)

    print("\n== 2. A trained network that cheats")
    original = load_original(data, arguments.weights)
    before = look_at(original, data)

    print("\n== 3. The same network with local attention pooling, fine-tuned")
    converted = convert(original, data)
    fine_tune(converted, data, arguments.epochs, arguments.masks)
    after = look_at(converted, data)

    print("\n== 4. Before and after")
    report(before, after, data)
    if arguments.weights is None:
        report_ceiling(after, ceiling=json.loads(CEILING_LOG.read_text())["clutter"])
    columns = {
        "Grad-CAM, before": before["maps"]["Grad-CAM"],
        "Grad-CAM, after": after["maps"]["Grad-CAM"],
        "LAP, after": after["maps"]["LAP"],
    }
    draw(data["test"], columns, arguments.figure)
    save(original, converted, arguments)


def parse_arguments(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=6, help="of fine-tuning")
    parser.add_argument(
        "--masks", type=float, default=0.2, help="share of images with a mask"
    )
    parser.add_argument(
        "--weights",
        choices=["imagenet"],
        help="fine-tune downloaded weights on the decoys instead of loading the "
        "checkpoint",
    )
    parser.add_argument("--data-dir", help="folder for the data set")
    parser.add_argument("--figure", default=FIGURE, help="PNG to write")
    return parser.parse_args(arguments)


def load_original(data, weights=None):
    """The network that the story starts with."""
    if weights is None:
        print(f"Loaded from {CHECKPOINT.name}, which `make backbone` makes.")
        return keras.saving.load_model(CHECKPOINT)
    model = build_backbone(weights=weights)
    train = data["train"]
    compile_for_digits(model, 3, len(train["label"]))
    model.fit(train["image"], train["label"], batch_size=BATCH_SIZE, epochs=3)
    return model


def convert(original, data):
    """Puts LAP into the network and shows that its outputs are the same."""
    plan = plan_lap(original)
    print(plan)
    converted = keras_lap.convert(original, plan)
    images = data["test"]["image"]
    change = np.abs(
        original.predict(images, verbose=0) - converted.predict(images, verbose=0)
    ).max()
    print(f"Largest change of an output at conversion: {change:.1e}")
    return converted


def plan_lap(original, **changes):
    """The plan to convert the network, with what unlearning a shortcut takes."""
    options = {
        "preset": "places",
        # At the full resolution of the first convolution LAP would cost the most.
        "skip": ["conv1_conv"],
        # Shallow layers cannot tell the digits apart; 10 are left for the head.
        "concepts": {1: 1, 2: 1},
    }
    return keras_lap.plan(original, **{**options, **changes})


def fine_tune(model, data, epochs, share_with_mask):
    """Trains with all labels and some masks, opening the gates in the first epoch."""
    train, validation = data["train"], data["validation_shifted"]
    count = len(train["label"])
    compile_for_digits(model, epochs, count, learning_rate=2e-3)
    has_mask = np.random.default_rng(0).random(count) < share_with_mask
    print(f"Fine-tuning with {count} labels and {has_mask.sum()} masks.")
    print("All validation images have a mask, so val_loss is the larger one.")
    print("Accuracy falls to chance when the gates shut the patch out, and comes back.")
    targets = {
        "label": train["label"],
        "mask": train["mask"],
        "valid": {"mask": has_mask},
    }
    model.fit(
        train["image"],
        targets,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_data=(
            validation["image"],
            {"label": validation["label"], "mask": validation["mask"]},
        ),
        callbacks=[
            GateAnneal(start=0, end=1),
            KnowledgeInjection([MaskSupervision()], weights=20.0),
        ],
    )


def look_at(model, data):
    """Accuracy on both test splits, and the maps that explain the true class."""
    test = data["test"]
    found = {split: accuracy(model, data[split]) for split in ("test", "test_shifted")}
    seen = GradCAM().explain(model, test["image"], test["label"])
    found["maps"] = {"Grad-CAM": seen}
    if keras_lap.lap_layers(model):
        found["maps"]["LAP"] = maps_of_labels(model, test)
    return found


def report(before, after, data):
    """Prints the table."""
    test = data["test"]
    line = "{:<30}{:>8}{:>14}{:>11}{:>14}{:>16}".format
    print(line("", "test", "test_shifted", "maps", "pointing", "energy in mask"))
    for name, found in (("before", before), ("after", after)):
        accuracies = (f"{found['test']:.3f}", f"{found['test_shifted']:.3f}")
        for explainer, maps in found["maps"].items():
            shares = (f"{share:.3f}" for share in validity(maps, test["mask"]))
            print(line(name, *accuracies, explainer, *shares))
            name, accuracies = "", ("", "")
    even = f"{test['mask'].mean():.3f}"
    print(line("a map that is even everywhere", "", "", "", even, even))


def report_ceiling(after, ceiling):
    """Prints what the backbone reaches that never saw a patch."""
    honest = ceiling["accuracy"]["test"]
    print(
        f"\nHonest ceiling, the backbone trained without any decoy for "
        f"{ceiling['epochs']} epochs: {honest:.3f}"
    )
    share = after["test_shifted"] / honest
    print(f"Accuracy under shift, as a share of the ceiling: {share:.2f}")


def save(original, converted, arguments):
    """Saves the network next to the figure and says how to evaluate it."""
    figure, start = pathlib.Path(arguments.figure), CHECKPOINT
    path = figure.with_suffix(".keras")
    save_without_optimizer(converted, path)
    by_make = ""
    if arguments.weights is not None:
        start = figure.with_name(f"{figure.stem}_original.keras")
        save_without_optimizer(original, start)
    elif arguments.figure == FIGURE:
        by_make = "`make report`, or "
    print(f"Network written to {path}. It is evaluated by {by_make}this:")
    folder = f" --data-dir {arguments.data_dir}" if arguments.data_dir else ""
    python = pathlib.Path(os.path.relpath(sys.executable))
    command = python.with_name("keras-lap")
    if not command.exists():
        command = f"{python} -m keras_lap.cli"
    print(
        f"  {command} evaluate {path} tfds:cluttered_digits/decoy:test{folder} "
        f"--original {os.path.relpath(start)} --samples 100 "
        f"--report {figure.with_suffix('.html')}"
    )


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"Took {(time.perf_counter() - start) / 60:.1f} minutes")
