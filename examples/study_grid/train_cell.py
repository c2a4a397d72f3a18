"""Trains one network and measures it."""

import time

from keras_lap.explanation import COMBINATIONS
from study_grid.answers import first_labels, masks_of
from study_grid.arms import ARMS, ORIGINAL, TRAINED
from study_grid.cell import TRAIN, Cell
from study_grid.families import FAMILIES
from study_grid.quality import predict, quality
from study_grid.training import train
from study_grid.validity import lap_maps, validity

QUALITY = "quality"


def needs(cell):
    """The cells whose networks this one starts from."""
    if ARMS[cell.arm].start == TRAINED:
        return [Cell(TRAIN, cell.set, cell.family, cell.seed, ORIGINAL.name)]
    return []


def compute(cell, workshop):
    """Rows of results: quality on all splits, validity of LAP maps on `test`."""
    arm = ARMS[cell.arm]
    study_set = workshop.study_set(cell)
    data = workshop.data(cell)
    if arm.start == TRAINED:
        network = workshop.network(*needs(cell))
    else:
        network = FAMILIES[cell.family].build(
            study_set.side, study_set.classes, study_set.activation, cell.seed
        )
    epochs = workshop.sizes.epochs_of(arm, study_set)
    start = time.perf_counter()
    network = train(arm, network, data["train"], study_set, cell.seed, epochs)
    seconds = time.perf_counter() - start
    workshop.save_network(cell, network)
    yield cell.row(metric="seconds of training", value=seconds)
    for split, found in data.items():
        if split != "train":
            answers = predict(network, found["image"])
            value = quality(answers, found["label"])
            yield cell.row(metric=f"{QUALITY} on {split}", value=value)
    if arm.lap is not None and study_set.has_masks:
        test = {
            name: found[: workshop.sizes.tested] for name, found in data["test"].items()
        }
        targets = first_labels(test["label"])
        masks = masks_of(test["mask"], targets)
        for combine in COMBINATIONS:
            maps = lap_maps(network, test["image"], targets, arm.is_tied, combine)
            for metric, value in validity(maps, masks).items():
                yield cell.row(f"LAP ({combine})", metric, value)
