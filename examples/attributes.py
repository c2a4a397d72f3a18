"""Concepts that are attributes, of which half are unknown.

Digits differ in what they are made of, such as a closed loop. Here LAP layers have one
concept per attribute instead of one per class. `ConceptLabels` trains them with the
attributes of each image, half of which are hidden (-1). If the attributes of a class
are known, `class_concepts` is another way: `Presence` then has them from the label.

The maps of attributes that are there find the digit. As detectors they are weak: a
maximum above 0.5 says little better than "never" whether an attribute is there at all.
In the figure each map has a scale of its own, those of absent attributes too.
"""

import numpy as np
from common.digit_tools import (
    accuracy,
    draw,
    load_data,
    parse_arguments,
    print_table,
    train,
    validity,
)

import keras_lap
from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import ConceptLabels, Presence

# The digits that have it, as they are usually written.
ATTRIBUTES = {
    "closed loop": (0, 6, 8, 9),
    "upright stroke": (1, 4),
    "level stroke": (2, 4, 5, 7),
    "open to the left": (2, 3, 5),
}
CLASS_ATTRIBUTES = np.array(
    [[digit in digits for digits in ATTRIBUTES.values()] for digit in range(10)]
)


def main(arguments=None, config="clutter"):
    """Trains the networks, prints the table and writes the figure.

    Args:
        arguments: Command line, by default that of the process.
        config: Configuration of the data set.
    """
    arguments = parse_arguments(__doc__, "attributes", arguments)
    data = load_data(arguments.data_dir, config, ("train", "test"), arguments.train)
    split, test = data["train"], data["test"]
    labels, attributes = split["label"], CLASS_ATTRIBUTES[split["label"]]
    known, is_hidden = half_known(labels)
    print(f"{is_hidden.sum()} of {is_hidden.size} attributes are hidden")
    variants = {
        "labels": (labels, None),
        "half of the attributes": (known, KnowledgeInjection([ConceptLabels()])),
        "attributes of classes": (
            labels,
            KnowledgeInjection([Presence()], class_concepts=CLASS_ATTRIBUTES),
        ),
    }
    rows = {}
    for name, (targets, knowledge) in variants.items():
        concepts = len(ATTRIBUTES)
        model = train(split, targets, arguments.epochs, knowledge, concepts=concepts)
        maps = keras_lap.explain(model, test["image"]).maps
        trained_on = keras_lap.explain(model, split["image"]).maps
        rows[name] = (
            accuracy(model, test),
            np.mean(told(trained_on, split)[is_hidden]),
            np.mean(told(maps, test)),
            *validity_of_present(maps, test),
        )
        if name == "half of the attributes":
            columns = dict(zip(ATTRIBUTES, np.moveaxis(maps, -1, 0), strict=True))
            draw(test, columns, arguments.figure)
    absent, even = 1 - CLASS_ATTRIBUTES[test["label"]].mean(), test["mask"].mean()
    rows["no attribute anywhere"] = None, 1 - attributes[is_hidden].mean(), absent
    rows["a map that is even everywhere"] = None, None, None, even, even
    print("\nShares of digits, and of hidden and test attributes, that are told right:")
    print_table(("digits", "hidden", "of test", "pointing", "energy in mask"), rows)


def half_known(labels):
    """Targets with half of the attributes hidden (-1), and which are, `(N, K)`."""
    attributes = CLASS_ATTRIBUTES[labels]
    is_hidden = np.random.default_rng(0).random(attributes.shape) < 0.5
    known = {"label": labels, "concepts": np.where(is_hidden, -1, attributes)}
    return known, is_hidden


def validity_of_present(maps, split):
    """How well the maps of the attributes that images have lie on the digits."""
    images, present = np.nonzero(CLASS_ATTRIBUTES[split["label"]])
    return validity(maps[images, ..., present], split["mask"][images])


def told(maps, split):
    """Which attributes of which images the maps are right about, `(N, K)`."""
    return (maps.max(axis=(1, 2)) > 0.5) == CLASS_ATTRIBUTES[split["label"]]


if __name__ == "__main__":
    main()
