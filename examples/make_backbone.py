"""Makes the trained network that the quickstart starts from, and its honest ceiling.

The same backbone is trained twice from the same initial weights: on `decoy`, where a
coloured patch gives the label away, and on `clutter`, where nothing does. The first
is written to `examples/backbone/decoy.keras`, and the accuracies of both, epoch by
epoch, to `examples/backbone/log.json`.
"""

import argparse
import json
import pathlib

import keras
from common.digit_backbone import BATCH_SIZE, build_backbone, compile_for_digits
from common.digit_tools import accuracy, load_data
from common.save_without_optimizer import save_without_optimizer

FOLDER = pathlib.Path(__file__).parent / "backbone"
# Epochs, and the splits that accuracies are of.
TRAININGS = {"decoy": (2, ("test", "test_shifted")), "clutter": (6, ("test",))}


def train(config, epochs, tests, data_dir=None):
    """Trains the backbone on one configuration of the data set.

    Args:
        config: `"decoy"`, `"clutter"`, or a `ClutteredDigitsConfig`.
        epochs: Number of epochs.
        tests: Names of the splits to test on.
        data_dir: Folder for the data set, by default that of TFDS.

    Returns:
        The model, its training history, and a dict of its accuracy on each of `tests`.
    """
    data = load_data(data_dir, config, ("train", "validation", *tests))
    # Not before the data are there: building them draws from the same random numbers.
    keras.utils.set_random_seed(0)
    model = build_backbone()
    (images, labels), validation = (
        (data[split]["image"], data[split]["label"])
        for split in ("train", "validation")
    )
    compile_for_digits(model, epochs, len(images))
    history = model.fit(
        images,
        labels,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_data=validation,
    )
    accuracies = {split: accuracy(model, data[split]) for split in tests}
    return model, history.history, accuracies


def main():
    """Trains both networks and writes the checkpoint and the log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="folder for the data set")
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    log = {}
    for config, (epochs, tests) in TRAININGS.items():
        model, history, accuracies = train(config, epochs, tests, arguments.data_dir)
        log[config] = {
            "epochs": epochs,
            "history": {
                key: [round(value, 4) for value in values]
                for key, values in history.items()
            },
            "accuracy": accuracies,
        }
        print(f"{config}: {accuracies}")
        if config == "decoy":
            save_without_optimizer(model, FOLDER / "decoy.keras")
    (FOLDER / "log.json").write_text(json.dumps(log, indent=1) + "\n")


if __name__ == "__main__":
    main()
