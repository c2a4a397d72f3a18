"""Compares explainers on an original network and on the one with LAP."""

import functools

import numpy as np

from keras_lap.evaluation import (
    compare,
    deletion,
    explainers,
    insertion,
    mu_fidelity,
    parameter_randomisation,
    road,
)
from study_grid.answers import masks_of, right_answers
from study_grid.arms import ORIGINAL_TUNED
from study_grid.cell import TRAIN, Cell
from study_grid.quality import predict
from study_grid.validity import METRICS

SANITY = "parameter_randomisation"
SAME_MODEL, ORIGINAL_MODEL = "LAP network", "original network"


def needs(cell):
    """The cells whose networks are compared."""
    return [
        Cell(TRAIN, cell.set, cell.family, cell.seed, arm)
        for arm in (ORIGINAL_TUNED.name, cell.arm)
    ]


def compute(cell, workshop):
    """Rows of results: every metric of every explainer on both networks.

    The images are the first ones of `test` that both networks answer rightly, and maps
    are for that answer.
    """
    sizes, study_set = workshop.sizes, workshop.study_set(cell)
    test = workshop.data(cell)["test"]
    original, converted = (workshop.network(each) for each in needs(cell))
    targets = right_answers(
        test["label"], *(predict(each, test["image"]) for each in (original, converted))
    )
    chosen = np.flatnonzero(targets >= 0)[: sizes.explained]
    if not len(chosen):
        yield cell.row(metric="explained images", value=0)
        return
    targets = targets[chosen]
    data = {"image": test["image"][chosen].astype("float32"), "label": targets}
    metrics = faithfulness(sizes, study_set.side)
    if study_set.has_masks:
        data["mask"] = masks_of(test["mask"][chosen], targets)
        metrics |= {metric.__name__: metric for metric in METRICS}
    yield cell.row(metric="explained images", value=len(chosen))
    asked = [explainer(name, sizes) for name in sizes.explainers]
    for model, network in ((SAME_MODEL, converted), (ORIGINAL_MODEL, original)):
        compared = asked if network is converted else asked[1:]
        yield from _rows(cell, model, network, data, compared, metrics)
    few = {name: found[: sizes.randomised] for name, found in data.items()}
    # Those that cost hundreds of predictions per map are left out.
    cheap = [each for each in asked if each.name not in ("RISE", "Occlusion")]
    sanity = {SANITY: functools.partial(parameter_randomisation, steps=1)}
    yield from _rows(cell, SAME_MODEL, converted, few, cheap, sanity)


def _rows(cell, model, network, data, asked, metrics):
    comparison = compare(
        network, data, asked, metrics, targets="label", timing_rounds=0, verbose=False
    )
    for row in comparison.rows:
        if row["error"] is not None:
            raise RuntimeError(f"{row['explainer']}: {row['error']}")
        yield cell.row(
            row["explainer"], f"{row['metric']} on {model}", value=row["mean"]
        )


def faithfulness(sizes, side):
    """Dict from the names of the metrics of faithfulness to them, of given sizes."""
    step = -(-(side**2) // sizes.steps)
    return {
        "insertion": functools.partial(insertion, step=step),
        "deletion": functools.partial(deletion, step=step),
        "road": road,
        "mu_fidelity": functools.partial(
            mu_fidelity, samples=sizes.subsets, grid=sizes.grid
        ),
    }


def explainer(name, sizes):
    """An explainer by its name, of the given sizes."""
    options = {
        "IntegratedGradients": {"steps": max(2, sizes.draws)},
        "SmoothGrad": {"samples": sizes.draws},
        "RISE": {"masks": sizes.masks},
    }
    return getattr(explainers, name)(**options.get(name, {}))
