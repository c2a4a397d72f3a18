"""Boxes around the digits of some images teach a network where to look.

A small network with LAP layers learns digits in clutter from the labels alone, and from
the labels and the boxes of a fifth of the images, by `BoxSupervision`. For the other
images the padding of -1 says that there is no box. Scores start high in the first
network, which would not learn otherwise, and low in the second.
"""

import numpy as np
from common.digit_tools import compare, load_data, parse_arguments, train

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import BoxSupervision


def main(arguments=None, config="clutter"):
    """Trains the networks, prints the table and writes the figure.

    Args:
        arguments: Command line, by default that of the process.
        config: Configuration of the data set.
    """
    arguments = parse_arguments(__doc__, "boxes", arguments)
    data = load_data(arguments.data_dir, config, ("train", "test"), arguments.train)
    split, labels, epochs = data["train"], data["train"]["label"], arguments.epochs
    has_box = np.random.default_rng(0).random(len(labels)) < 0.2
    print(f"{has_box.sum()} of {len(labels)} images have a box")
    # One box per image, (N, 1, 4), relative top, left, bottom, right.
    boxes = np.where(has_box[:, None, None], split["bbox"][:, None], -1.0)
    targets = {"label": labels, "boxes": boxes}
    # The term is averaged over all images, so with few boxes its weight is large.
    supervision = KnowledgeInjection([BoxSupervision()], weights=5.0)
    models = {
        "labels": train(split, labels, epochs),
        "labels, some boxes": train(split, targets, epochs, supervision),
    }
    compare(models, ["labels"], data["test"], arguments.figure)


if __name__ == "__main__":
    main()
