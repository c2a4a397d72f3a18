"""What the examples on cluttered digits share: data, a small network, table, figure."""

import argparse
import pathlib

import keras
import numpy as np
import tensorflow_datasets as tfds
from keras import layers

import keras_lap
from common.digit_backbone import BATCH_SIZE, compile_for_digits
from common.small_network import lap_features
from keras_lap.datasets import ClutteredDigits
from keras_lap.evaluation import energy_in_mask, pointing_game


def parse_arguments(description, name, arguments=None, epochs=6):
    """Reads the command line of an example that trains the small network.

    Args:
        description: What the example does.
        name: Its name, which its figure has too.
        arguments: Command line, by default that of the process.
        epochs: Number of epochs by default.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--epochs", type=int, default=epochs, help="of each training")
    parser.add_argument("--train", type=int, help="number of images, by default all")
    parser.add_argument("--data-dir", help="folder for the data set")
    parser.add_argument("--figure", default=f"results/{name}.png", help="PNG to write")
    return parser.parse_args(arguments)


def load_data(data_dir, config, splits, train=None):
    """Builds the data set, once, and reads its splits as arrays.

    Args:
        data_dir: Folder for the data set, by default that of TFDS.
        config: `"decoy"`, `"clutter"`, or a `ClutteredDigitsConfig`.
        splits: Names of the splits.
        train: How many of the training images to keep, by default all.

    Returns:
        A dict from splits to dicts of arrays.
    """
    builder = ClutteredDigits(config=config, data_dir=data_dir)
    builder.download_and_prepare()
    data = {
        split: tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1))
        for split in splits
    }
    data["train"] = {name: array[:train] for name, array in data["train"].items()}
    return data


def build_network(concepts=10, **options):
    """The small network, for digits.

    Args:
        concepts: Number of concepts of every LAP layer.
        **options: Of the LAP layers.

    Returns:
        A model from images `(N, 64, 64, 3)` in `[0, 255]` to probabilities `(N, 10)`,
        with the same initial weights every time.
    """
    keras.utils.set_random_seed(0)
    image = keras.Input((64, 64, 3), name="image")
    x = lap_features(image, concepts=concepts, **options)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def train(split, targets, epochs, knowledge=None, **network):
    """Trains the small network from scratch.

    Args:
        split: Dict of arrays, of which the images are taken.
        targets: Labels, or a dict of labels and knowledge.
        epochs: Number of epochs.
        knowledge: A `KnowledgeInjection`, if any.
        **network: Arguments of `build_network`. Scores start at 0.05 by default, or at
            0.95 if there is no knowledge.
    """
    terms = [loss.name for loss in knowledge.losses] if knowledge else []
    print("\n== Training with", " and ".join(["labels", *terms]))
    # Low scores that nothing opens let too little through to learn from.
    network.setdefault("initial_score", 0.05 if knowledge else 0.95)
    model = build_network(**network)
    compile_for_digits(model, epochs, len(split["image"]), learning_rate=2e-3)
    model.fit(
        split["image"],
        targets,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        verbose=2,
        callbacks=[knowledge] if knowledge else [],
    )
    return model


def accuracy(model, split):
    """Share of right answers on a split."""
    answers = model.predict(split["image"], verbose=0).argmax(-1)
    return float(np.mean(answers == split["label"]))


def maps_of_labels(model, split):
    """The LAP maps of the true classes, `(N, H, W)`."""
    return keras_lap.explain(model, split["image"]).of(split["label"])


def validity(maps, masks):
    """Pointing game and energy in the mask, of maps `(N, H, W)` on `(N, H, W, 1)`."""
    masks = masks[..., 0]
    return pointing_game(maps, masks).mean, energy_in_mask(maps, masks).mean


def compare(models, untold, test, path, **others):
    """Prints the table of networks with a concept per class, and draws their maps.

    Args:
        models: Dict from names to models.
        untold: Names of those that nothing told which concept is which class. What
            explains them is the highest of all their maps.
        test: Dict of arrays, for accuracy and maps.
        path: PNG to write.
        **others: Splits by name, for accuracy alone.
    """
    maps = {
        name: keras_lap.explain(model, test["image"]).maps.max(axis=-1)
        if name in untold
        else maps_of_labels(model, test)
        for name, model in models.items()
    }
    rows = {
        name: (
            *(accuracy(model, split) for split in (test, *others.values())),
            *validity(maps[name], test["mask"]),
        )
        for name, model in models.items()
    }
    even = test["mask"].mean()
    blank = [None] * (1 + len(others))
    rows["a map that is even everywhere"] = *blank, even, even
    print()
    print_table(("test", *others, "pointing", "energy in mask"), rows)
    draw(test, maps, path)


def print_table(columns, rows):
    """Prints numbers with three digits.

    Args:
        columns: Names of the columns.
        rows: Dict from the name of a row to its numbers, of which `None` is no number.
    """
    width = max(map(len, rows)) + 2
    print(" " * width + "".join(f"{column:>16}" for column in columns))
    for name, numbers in rows.items():
        cells = ("" if number is None else f"{number:.3f}" for number in numbers)
        print(f"{name:<{width}}" + "".join(f"{cell:>16}" for cell in cells))


def draw(split, columns, path, rows=4):
    """Writes a figure of the first images, with maps and outlined masks.

    Args:
        split: Dict of arrays.
        columns: Dict from names to maps `(N, H, W)`.
        path: PNG to write.
        rows: Number of images.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    keras_lap.draw_maps(
        split["image"][:rows],
        {name: maps[:rows] for name, maps in columns.items()},
        masks=split["mask"][:rows, ..., 0],
        captions=[f"digit {label}" for label in split["label"][:rows]],
        path=path,
    )
    print(f"Figure written to {path}")
