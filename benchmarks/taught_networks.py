"""Networks that the study has fine-tuned with masks, and images of their validation."""

import argparse
from typing import Any, NamedTuple

import numpy as np
from study_grid.answers import masks_of, right_answers
from study_grid.arms import LAP_MASKS_TUNED
from study_grid.cell import TRAIN, Cell
from study_grid.quality import predict
from study_grid.sizes import SIZES, Sizes
from study_grid.workshop import Workshop


class TaughtNetwork(NamedTuple):
    """A network, and images that it answers rightly.

    Attributes:
        cell: The `Cell` that has trained it.
        sizes: The `Sizes` of the study.
        model: The network.
        images: float32 `(N, H, W, 3)`, as the network takes them.
        targets: int `(N,)`, the answers.
        masks: Boolean `(N, H, W)`, where these lie.
    """

    cell: Cell
    sizes: Sizes
    model: Any
    images: np.ndarray
    targets: np.ndarray
    masks: np.ndarray


def parse(arguments, description, csv):
    """The command line of a script that measures them all and writes a CSV file."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--size", choices=SIZES, default="core")
    parser.add_argument("--images", type=int, default=32, help="per network")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", default="results/study")
    parser.add_argument("--csv", default=csv)
    return parser.parse_args(arguments)


def taught_networks(parsed):
    """All such networks that are there.

    Args:
        parsed: What `parse` returns.

    Returns:
        Iterator of `TaughtNetwork`.

    Raises:
        FileNotFoundError: If there are none.
    """
    workshop = Workshop(parsed.folder, SIZES[parsed.size])
    cells = [
        Cell(TRAIN, name, family, parsed.seed, LAP_MASKS_TUNED.name)
        for name in workshop.sizes.sets
        for family in workshop.sizes.families
    ]
    cells = [cell for cell in cells if workshop.network_path(cell).exists()]
    if not cells:
        raise FileNotFoundError(
            f"Expected networks of the study in {workshop.folder}. Received: none. Run "
            "`make study` first."
        )
    networks = (_network(cell, workshop, parsed.images) for cell in cells)
    return (network for network in networks if len(network.images))


def _network(cell, workshop, count):
    model, data = workshop.network(cell), workshop.data(cell)["validation"]
    targets = right_answers(data["label"], predict(model, data["image"]))
    chosen = np.flatnonzero(targets >= 0)[:count]
    images, targets = data["image"][chosen].astype("float32"), targets[chosen]
    masks = masks_of(data["mask"][chosen], targets)
    return TaughtNetwork(cell, workshop.sizes, model, images, targets, masks)
