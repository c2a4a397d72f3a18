"""Draws examples of the data sets that are rendered locally, for docs/data.md.

Run it as: python docs/picture_of_data.py data.png
"""

import argparse
import pathlib

import matplotlib
import numpy as np

from keras_lap.datasets import cluttered_digits, crowded_digits, spotted_beetles
from keras_lap.datasets.spotted_beetles import SPECIES

matplotlib.use("Agg")

from matplotlib import pyplot as plt

_COLUMNS = 5


def main():
    """Writes a picture with a row per data set, masks outlined in white."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("picture", type=pathlib.Path, help="PNG file to write")
    options = parser.parse_args()
    figure, rows = plt.subplots(3, _COLUMNS, figsize=(7.2, 5.0), layout="constrained")
    for axes, samples in zip(rows, (_cluttered(), _crowded(), _beetles()), strict=True):
        for axis, (image, masks, title) in zip(axes, samples, strict=True):
            axis.imshow(image)
            for mask in np.moveaxis(masks, -1, 0):
                if mask.any():
                    axis.contour(mask, [0.5], colors="white", linewidths=0.8)
            axis.set_title(title, fontsize=9)
            axis.axis("off")
    figure.savefig(options.picture, dpi=80)


def _cluttered():
    for index in range(_COLUMNS):
        example = cluttered_digits.render_example("train", index)
        yield example["image"], example["mask"], str(example["label"])


def _crowded():
    for index in range(_COLUMNS):
        example = crowded_digits.render_example("train", index)
        present = np.flatnonzero(example["labels"])
        yield example["image"], example["masks"], " ".join(map(str, present))


def _beetles():
    for index in range(_COLUMNS):
        example = spotted_beetles.render_example("train", index)
        title = SPECIES[example["label"]].replace("_", " ")
        yield example["image"], example["mask"], title


if __name__ == "__main__":
    main()
