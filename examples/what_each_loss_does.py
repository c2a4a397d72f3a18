"""What each loss does to the maps of one network, for docs/losses.md.

A small network with max pooling learns digits in clutter. It is converted to LAP, and
from there training goes on, with the same weights and the same images in the same
order: once with the labels alone, and once with each of the losses. Figures, the table
`figures.csv` and the tables in the page are written anew; the page's text stays.
"""

import argparse
import csv
import dataclasses
import functools
import pathlib
import re

import keras
import numpy as np
import tensorflow as tf
from attributes import ATTRIBUTES, CLASS_ATTRIBUTES
from common.digit_backbone import BATCH_SIZE, compile_for_digits
from common.digit_tools import load_data, validity
from common.small_network import convolve
from keras import layers

import keras_lap
from keras_lap import losses
from keras_lap.callbacks import GateAnneal, KnowledgeInjection

NOTHING = "labels"
PARTNER = "Presence"
# In figures: test images, and of attributes these.
IMAGES = [0, 1, 3]
SHOWN = ("closed loop", "open to the left")
NUMBERS = (
    "accuracy",
    "pointing game",
    "energy in mask",
    "covered",
    "of the class",
    "term",
)


@dataclasses.dataclass(frozen=True)
class Subject:
    """One loss, and how it is shown.

    Attributes:
        loss: The loss.
        weight: Its weight.
        known: Names of the knowledge that it needs besides the label.
        has_partner: Whether it is shown along with `Presence` too.
        attributes: Whether the network's concepts are the attributes of digits.
        has_gradients: Whether the gradients by the images are shown too.
    """

    loss: object
    weight: float
    known: tuple = ()
    has_partner: bool = False
    attributes: bool = False
    has_gradients: bool = False


SUBJECTS = {
    PARTNER: Subject(losses.Presence(), 0.5),
    "Absence": Subject(losses.Absence(), 0.2, has_partner=True),
    "ConceptLabels": Subject(
        losses.ConceptLabels(), 0.5, known=("concepts",), attributes=True
    ),
    "MaskSupervision": Subject(losses.MaskSupervision(), 1.0, known=("mask",)),
    "MaskSupervision, outside": Subject(
        losses.MaskSupervision("outside", name="outside"), 1.0, known=("mask",)
    ),
    "BoxSupervision": Subject(losses.BoxSupervision(), 1.0, known=("boxes",)),
    "AreaPrior": Subject(losses.AreaPrior(min_area=0.03, max_area=0.1), 10.0),
    "Exclusivity": Subject(losses.Exclusivity(), 0.1, has_partner=True),
    "Consistency": Subject(losses.Consistency(), 1.0, has_partner=True),
    "Sufficiency": Subject(losses.Sufficiency(), 1.0, has_partner=True),
    "Necessity": Subject(losses.Necessity(), 1.0, has_partner=True),
    "RightReasons": Subject(
        losses.RightReasons(), 1.0, known=("mask",), has_gradients=True
    ),
}


def main(arguments=None, config="clutter"):
    """Trains the networks, and writes figures, table and page.

    Args:
        arguments: Command line, by default that of the process.
        config: Configuration of the data set.
    """
    arguments = parse_arguments(arguments)
    data = load_data(arguments.data_dir, config, ("train", "test"), arguments.train)
    # Losses that take gradients by images, or change them, need float images.
    training, test = (
        {**data[split], "image": data[split]["image"].astype("float32")}
        for split in ("train", "test")
    )
    test = {name: array[: arguments.test] for name, array in test.items()}
    networks = Networks(training, arguments.epochs, arguments.more)
    for name in arguments.only or SUBJECTS:
        rows = rows_of(name, networks, test)
        draw(name, rows, test, figures_of(arguments.page))
        write_numbers(name, rows, arguments.page)


def parse_arguments(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, help="losses to show")
    parser.add_argument("--epochs", type=int, default=6, help="before conversion")
    parser.add_argument("--more", type=int, default=1, help="epochs with each loss")
    parser.add_argument("--train", type=int, help="number of images, by default all")
    parser.add_argument("--test", type=int, default=500, help="number of images")
    parser.add_argument("--data-dir", help="folder for the data set")
    parser.add_argument("--page", type=pathlib.Path, default="docs/losses.md")
    return parser.parse_args(arguments)


class Networks:
    """Trains each network when it is first asked for.

    Args:
        split: Dict of arrays to train on.
        epochs: Number of epochs before conversion, from which all go on.
        more: Number of epochs after it.
    """

    def __init__(self, split, epochs, more):
        self._split, self._epochs, self._more = split, epochs, more
        self._trained = {}

    def trained(self, names, attributes):
        """The network that has learned from these losses too.

        Args:
            names: Tuple of names in `SUBJECTS`.
            attributes: Whether its concepts are attributes.
        """
        if (names, attributes) not in self._trained:
            print(f"\n== {', '.join((NOTHING, *names))}")
            self._trained[names, attributes] = self._go_on(names, attributes)
        return self._trained[names, attributes]

    def _go_on(self, names, attributes):
        subjects = [SUBJECTS[name] for name in names]
        known = {known for subject in subjects for known in subject.known}
        start = self._start
        # The same new weights and the same order of images every time.
        keras.utils.set_random_seed(0)
        model = keras_lap.convert(
            start,
            # At the full resolution LAP would cost the most.
            skip=["pool_1"],
            concepts=len(ATTRIBUTES) if attributes else 10,
            hidden=16,
            # In a single epoch the scores are to follow the losses.
            score_gain=10.0,
        )
        self._fit(
            model,
            targets_of(self._split, known),
            self._more,
            # The gates open in the first half.
            [GateAnneal(0, self._more / 2), *([injection(subjects)] if names else [])],
        )
        return model

    @functools.cached_property
    def _start(self):
        print("\n== The network before conversion")
        model = build_network()
        self._fit(model, self._split["label"], self._epochs)
        return model

    def _fit(self, model, targets, epochs, callbacks=()):
        images = self._split["image"]
        compile_for_digits(model, epochs, len(images), learning_rate=2e-3)
        model.fit(
            images,
            targets,
            batch_size=BATCH_SIZE,
            epochs=epochs,
            verbose=2,
            callbacks=list(callbacks),
        )


def build_network():
    """Four convolutions, each followed by max pooling, the last of them global.

    Returns:
        A model from images `(N, 64, 64, 3)` in `[0, 255]` to probabilities `(N, 10)`,
        with the same initial weights every time.
    """
    keras.utils.set_random_seed(0)
    image = keras.Input((64, 64, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1)(image)
    for stage, filters in enumerate((16, 32, 64, 64), start=1):
        x = convolve(filters, x)
        if stage < 4:
            x = layers.MaxPooling2D(2, name=f"pool_{stage}")(x)
    x = layers.GlobalMaxPooling2D(name="pool_4")(x)
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def injection(subjects):
    """The callback for the losses of some subjects."""
    return KnowledgeInjection(
        [subject.loss for subject in subjects],
        weights=[subject.weight for subject in subjects],
    )


def targets_of(split, known):
    """Labels, or a dict of labels and what else is known of each image."""
    if not known:
        return split["label"]
    everything = {
        "label": split["label"],
        "mask": split["mask"],
        "boxes": split["bbox"][:, None],
        "concepts": CLASS_ATTRIBUTES[split["label"]].astype("int32"),
    }
    return {name: everything[name] for name in ("label", *known)}


@dataclasses.dataclass
class Row:
    """What a network shows.

    Attributes:
        name: What it was trained with.
        columns: Dict from names to maps `(N, H, W)` of all test images, to draw.
        numbers: Dict of numbers for the tables.
    """

    name: str
    columns: dict
    numbers: dict


def rows_of(name, networks, test):
    """The rows of the table of one loss, a list of `Row`."""
    subject = SUBJECTS[name]
    losses_of_row = {NOTHING: (), name: (name,)}
    if subject.has_partner:
        losses_of_row[PARTNER] = (PARTNER,)
        losses_of_row[f"{PARTNER}, {name}"] = (PARTNER, name)
    models = {
        row: networks.trained(names, subject.attributes)
        for row, names in losses_of_row.items()
    }
    rows = [row_of(row, model, subject, test) for row, model in models.items()]
    if subject.has_gradients:
        rows += [row_of_gradients(row, model, test) for row, model in models.items()]
    return rows


def row_of(name, model, subject, test):
    """The row of the maps of a network."""
    found = model.evaluate(
        test["image"],
        targets_of(test, subject.known),
        verbose=0,
        callbacks=[injection([subject])],
        return_dict=True,
    )
    numbers = {"accuracy": found["accuracy"], "term": found[subject.loss.name]}
    maps = np.moveaxis(keras_lap.explain(model, test["image"]).maps, -1, 0)
    if subject.attributes:
        present = CLASS_ATTRIBUTES[test["label"]].T
        masks = np.stack([test["mask"]] * len(maps))
        numbers |= measure(maps[present], masks[present])
        columns = {
            f"{name}: {attribute}": maps[list(ATTRIBUTES).index(attribute)]
            for attribute in SHOWN
        }
    else:
        of_class = maps[test["label"], np.arange(len(test["label"]))]
        energies = [energy.sum(axis=(-2, -1)) for energy in (of_class, maps)]
        numbers |= measure(of_class, test["mask"])
        numbers["of the class"] = np.mean(energies[0] / energies[1].sum(axis=0))
        columns = {name: of_class}
    return Row(name, columns, numbers)


def row_of_gradients(name, model, test):
    """The row of how much each pixel changes what a network predicts."""
    name = f"{name}: gradients"
    maps = np.concatenate(
        [
            gradient_sizes(model, test["image"][first : first + BATCH_SIZE])
            for first in range(0, len(test["image"]), BATCH_SIZE)
        ]
    )
    return Row(name, {name: maps}, measure(maps, test["mask"]))


def gradient_sizes(model, images):
    """Sum over channels of the size of the gradient of `sum_k log p_k`, `(N, H, W)`."""
    images = tf.convert_to_tensor(images)
    with tf.GradientTape() as tape:
        tape.watch(images)
        logarithms = losses.RightReasons().explained(model(images, training=False))
    return np.abs(tape.gradient(logarithms, images)).sum(axis=-1)


def measure(maps, masks):
    """How well maps `(N, H, W)` lie on masks `(N, H, W, 1)`, and how large they are."""
    pointing, energy = validity(maps, masks)
    covered = np.mean(maps > maps.max(axis=(1, 2), keepdims=True) / 2)
    return {"pointing game": pointing, "energy in mask": energy, "covered": covered}


def figures_of(page):
    """The folder of a page's figures."""
    return page.with_suffix("")


def draw(name, rows, test, folder):
    """Writes the figure of one loss."""
    columns = [column for row in rows for column in row.columns.items()]
    figure = keras_lap.draw_maps(
        test["image"][IMAGES].astype("uint8"),
        # In two lines, where there are two things to say.
        {re.sub("([,:]) ", r"\1\n", name): maps[IMAGES] for name, maps in columns},
        masks=test["mask"][IMAGES, ..., 0],
        captions=[f"digit {label}" for label in test["label"][IMAGES]],
        cell_width=1.2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    stem = name.lower().replace(", ", "_")
    figure.savefig(folder / f"{stem}.png", dpi=90)


def write_numbers(name, rows, page):
    """Writes one loss's numbers to the table of all and to its place in the page."""
    path = figures_of(page) / "figures.csv"
    kept = list(csv.DictReader(path.open())) if path.exists() else []
    kept = [line for line in kept if line["loss"] != name]
    for row in rows:
        cells = dict(zip(NUMBERS, cells_of(row), strict=True))
        kept.append({"loss": name, "trained with": row.name, **cells})
    kept.sort(key=lambda line: list(SUBJECTS).index(line["loss"]))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=kept[0])
        writer.writeheader()
        writer.writerows(kept)
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, rest = page.read_text().split(begin)
    page.write_text(before + begin + table_of(rows) + end + rest.split(end)[1])


def cells_of(row):
    """A row's numbers with three digits, in order; those that it lacks are empty."""
    return [f"{row.numbers[n]:.3f}" if n in row.numbers else "" for n in NUMBERS]


def table_of(rows):
    """The table in Markdown."""
    lines = [["", *NUMBERS], ["---"] * (1 + len(NUMBERS))]
    lines += [[row.name, *cells_of(row)] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    main()
