"""Two ways of telling a network where not to look, with a shortcut at hand.

A coloured patch in a corner tells the label in training; in `test_shifted` its colour
is random. A small network with LAP layers learns from the labels alone, and twice with
the masks of a fifth of the images: by `RightReasons`, which penalises the gradient of
the prediction with respect to the pixels outside of a mask, and by `MaskSupervision` of
the scores.

`RightReasons` asks what small changes of an image do, and it does not keep this network
from reading the patch, which is a large one. `MaskSupervision` closes the gates on the
patch, with the options of LAP layers that unlearning a shortcut takes too, so the three
networks differ in more than the loss.
"""

import numpy as np
from common.digit_tools import compare, load_data, parse_arguments, train
from common.small_network import TOLD_PLACES

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import MaskSupervision, RightReasons

SPLITS = ("train", "test", "test_shifted")


def main(arguments=None, config="decoy"):
    """Trains the networks, prints the table and writes the figure.

    Args:
        arguments: Command line, by default that of the process.
        config: Configuration of the data set, one with the patch.
    """
    arguments = parse_arguments(__doc__, "right_reasons", arguments, epochs=4)
    data = load_data(arguments.data_dir, config, SPLITS, arguments.train)
    # There are no gradients with respect to integers.
    split = {**data["train"], "image": data["train"]["image"].astype("float32")}
    has_mask = np.random.default_rng(0).random(len(split["label"])) < 0.2
    print(f"{has_mask.sum()} of {has_mask.size} images have a mask")
    targets = {
        "label": split["label"],
        "mask": split["mask"],
        "valid": {"mask": has_mask},
    }
    epochs = arguments.epochs
    # The terms are averaged over all images, so with few masks their weights are large.
    penalty = KnowledgeInjection([RightReasons()], weights=1000.0)
    supervision = KnowledgeInjection([MaskSupervision()], weights=20.0)
    models = {
        "labels": train(split, split["label"], epochs),
        "RightReasons": train(split, targets, epochs, penalty, initial_score=0.95),
        "MaskSupervision": train(split, targets, epochs, supervision, **TOLD_PLACES),
    }
    compare(
        models,
        ["labels", "RightReasons"],
        data["test"],
        arguments.figure,
        test_shifted=data["test_shifted"],
    )
    print("What is lost from test to test_shifted came from the patch.")


if __name__ == "__main__":
    main()
