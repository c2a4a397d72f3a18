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
import tensorflow_datasets as tfds
from common.digit_backbone import BATCH_SIZE, build_backbone, compile_for_digits
from common.save_without_optimizer import save_without_optimizer

from keras_lap.datasets import ClutteredDigits

FOLDER = pathlib.Path(__file__).parent / "backbone"
EPOCHS = {"decoy": 2, "clutter": 6}


def train(config, data_dir=None, epochs=None):
    """Trains the backbone on one configuration of the data set.

    Args:
        config: `"decoy"`, `"clutter"`, or a `ClutteredDigitsConfig`.
        data_dir: Folder for the data set, by default that of TFDS.
        epochs: Number of epochs, by default those of the checkpoint.

    Returns:
        The model, its training history, and a dict of its accuracy on every split
        whose name starts with `test`.
    """
    builder = ClutteredDigits(config=config, data_dir=data_dir)
    builder.download_and_prepare()
    splits = {
        split: tfds.as_numpy(
            builder.as_dataset(split=split, batch_size=-1, as_supervised=True)
        )
        for split in builder.info.splits
    }
    keras.utils.set_random_seed(0)
    model = build_backbone()
    images, labels = splits["train"]
    epochs = epochs or EPOCHS[builder.builder_config.name]
    compile_for_digits(model, epochs, len(images))
    history = model.fit(
        images,
        labels,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_data=splits["validation"],
    )
    accuracy = {
        split: model.evaluate(*data, verbose=0, return_dict=True)["accuracy"]
        for split, data in splits.items()
        if split.startswith("test")
    }
    return model, history.history, accuracy


def main():
    """Trains both networks and writes the checkpoint and the log."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="folder for the data set")
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    log = {}
    for config in ("decoy", "clutter"):
        model, history, accuracy = train(config, arguments.data_dir)
        log[config] = {
            "epochs": EPOCHS[config],
            "history": {
                key: [round(value, 4) for value in values]
                for key, values in history.items()
            },
            "accuracy": accuracy,
        }
        print(f"{config}: {accuracy}")
        if config == "decoy":
            save_without_optimizer(model, FOLDER / "decoy.keras")
    (FOLDER / "log.json").write_text(json.dumps(log, indent=1) + "\n")


if __name__ == "__main__":
    main()
