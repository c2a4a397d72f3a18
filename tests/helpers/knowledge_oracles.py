"""Knowledge losses in NumPy, sample by sample, concept by concept, in float64."""

import itertools

import numpy as np
import pytest

from keras_lap.losses import (
    AreaPrior,
    BoxSupervision,
    ConceptLabels,
    Exclusivity,
    MaskSupervision,
    Presence,
)


def softplus(z):
    return np.logaddexp(0, z)


def sigmoid(z):
    return np.exp(-softplus(-z))


def balanced(terms, states):
    """Mean over the present concepts plus mean over the absent ones."""
    terms = list(terms)
    groups = [
        [term for term, of in zip(terms, states, strict=True) if of == state]
        for state in (1, 0)
    ]
    return sum(np.mean(group) for group in groups if group)


def per_concept(z):
    """The logits of each concept, `(P,)`."""
    return np.moveaxis(z, -1, 0).reshape(z.shape[-1], -1)


def presence(loss, z, present):
    def term(z, state):
        if state < 1:
            return np.mean(softplus(z))
        z = np.sort(z)[::-1]
        top = z[: max(int(loss.top_fraction * len(z)), 1)]
        lowest = z[len(z) - len(z) // 2 :]
        low = np.mean(softplus(lowest)) if len(lowest) else 0
        return np.mean(softplus(-top)) + low

    return balanced(map(term, per_concept(z), present), present)


def absence(loss, z, known):
    """Of every sample, `(N,)`."""

    def term(z, state):
        top = np.sort(z)[::-1][: max(int(loss.top_fraction * len(z)), 1)]
        return np.mean(softplus(top))

    return np.array(
        [
            balanced(map(term, per_concept(z), known), np.where(known == 0, 0, -1))
            for z, known in zip(z, known, strict=True)
        ]
    )


def concept_labels(loss, z, concepts):
    return presence(loss, z, concepts)


def region_mean(values, weights):
    return np.mean(values * weights) / max(np.mean(weights), 1e-4)


def masks(loss, z, mask, mask_known=None):
    def term(z, mask):
        if loss.mode == "outside":
            return region_mean(softplus(z), mask == 0)
        mask = np.where(mask > 1 - 2**-7, 1, mask)
        term = region_mean(softplus(-z), mask) + region_mean(softplus(z), 1 - mask)
        if mask.any():
            scores = sigmoid(z)
            term += 1 - 2 * np.sum(scores * mask) / (np.sum(scores) + np.sum(mask))
        return term

    mask = per_concept(mask)
    state = mask.any(axis=1).astype(int)
    if mask_known is not None:
        state = np.where(mask_known == 1, state, -1)
    return balanced(map(term, per_concept(z), mask), state)


def exclusivity(loss, z):
    pairs, concepts = loss.pairs, z.shape[-1]
    if pairs is None:
        pairs = [(j, k) for k in range(concepts) for j in range(k)]
    scores = sigmoid(z)
    shared = [scores[..., j] * scores[..., k] for j, k in pairs if k < concepts]
    return np.mean(np.sum(shared, axis=0)) if shared else 0.0


def area_prior(loss, z, present, area=None):
    terms = []
    for k, share in enumerate(np.mean(sigmoid(per_concept(z)), axis=1)):
        low = 0 if loss.min_area is None else loss.min_area
        high = 1 if loss.max_area is None else loss.max_area
        if area is not None:
            low, high = (
                given if given >= 0 else default
                for given, default in zip(area[k], (low, high), strict=True)
            )
        if present[k] == 1:
            terms.append(max(share - high, 0) ** 2 + max(low - share, 0) ** 2)
    return np.mean(terms) if terms else 0.0


def shares(begin, end, count):
    """Share of each of `count` pixels between two places, by their indices."""
    found = {
        i: min(end * count, i + 1) - max(begin * count, i)
        for i in range(count)
        if min(end * count, i + 1) - max(begin * count, i) > 1e-4
    }
    return list(found), list(found.values())


def boxes(loss, z, boxes, present, box_concepts=None):
    height, width, concepts = z.shape
    everyone = loss.concepts is None or concepts == 1
    boxed = range(concepts) if everyone else loss.concepts
    tight = [[] for _ in range(concepts)]
    inside = np.zeros(z.shape, bool)
    for m, (top, left, bottom, right) in enumerate(np.clip(boxes, 0, 1)):
        ys, heights = shares(top, bottom, height)
        xs, widths = shares(left, right, width)
        owners = [k for k in boxed if present[k] == 1]
        if box_concepts is not None and box_concepts[m] >= 0:
            owners = [k for k in boxed if k == box_concepts[m]]
        if not (ys and xs and owners):
            continue
        best = z[np.ix_(ys, xs, owners)].max(axis=-1)
        lines = np.average(softplus(-best.max(axis=1)), weights=heights)
        lines += np.average(softplus(-best.max(axis=0)), weights=widths)
        for k in owners:
            tight[k].append(lines / 2)
            inside[np.ix_(ys, xs, [k])] = True
    terms, states = [], []
    for k in range(concepts):
        outside = region_mean(softplus(z[..., k]), ~inside[..., k])
        terms.append(outside + (np.mean(tight[k]) if tight[k] else 0))
        absent = present[k] == 0 and k in boxed
        states.append(1 if tight[k] else 0 if absent else -1)
    return balanced(terms, states)


def consistency(layers):
    """`Consistency` of a list of logits `(N, H, W, K)` and cells."""
    pairs = itertools.pairwise([(sigmoid(np.float64(z)), cells) for z, cells in layers])
    return np.mean([disagreement(*pair) for pair in pairs], axis=0)


def disagreement(shallow, deep):
    (scores, grounds), (taught, cells) = shallow, deep
    if scores.shape[-1] != taught.shape[-1]:
        scores, taught = (s.max(axis=-1, keepdims=True) for s in (scores, taught))
    errors = []
    for y, x in np.ndindex(taught.shape[1:3]):
        rows = under(cells[0][y], grounds[0])
        columns = under(cells[1][x], grounds[1])
        best = scores[:, rows][:, :, columns].max(axis=(1, 2))
        errors.append((best - taught[:, y, x]) ** 2)
    return np.mean(errors, axis=(0, 2))


def under(cell, grounds):
    """Indices of the pixels that a cell covers, or of the nearest one."""
    found = [
        i
        for i, (begin, end) in enumerate(grounds)
        if min(end, cell[1]) - max(begin, cell[0]) > 1e-4 * (end - begin)
    ]
    distances = np.abs(np.mean(grounds, axis=1) - np.mean(cell))
    return found or [np.argmin(distances)]


ORACLES = {
    AreaPrior: area_prior,
    BoxSupervision: boxes,
    ConceptLabels: concept_labels,
    Exclusivity: exclusivity,
    MaskSupervision: masks,
    Presence: presence,
}


def oracle(loss, logits, **knowledge):
    """Any of the losses, `(N,)`."""
    of_a_sample = ORACLES[type(loss)]
    return np.array(
        [
            of_a_sample(
                loss,
                z,
                **{name: np.float64(value[n]) for name, value in knowledge.items()},
            )
            for n, z in enumerate(np.float64(logits))
        ]
    )


# Losses and knowledge to compare on.

LOSSES = {
    "presence": Presence(),
    "presence of a third": Presence(top_fraction=0.33),
    "presence of half": Presence(top_fraction=0.5),
    "attributes": ConceptLabels(top_fraction=0.33),
    "full masks": MaskSupervision(),
    "outside masks": MaskSupervision(mode="outside"),
    "boxes": BoxSupervision(),
    "boxes of some concepts": BoxSupervision(concepts=[0, 2]),
    "exclusive": Exclusivity(),
    "exclusive pairs": Exclusivity(pairs=[(0, 1), (2, 1)]),
    "areas": AreaPrior(),
    "areas with a bound": AreaPrior(max_area=0.3),
    "area between bounds": AreaPrior(0.4, 0.45),
}
SHAPES = [(4, 5, 4, 3), (3, 3, 1, 3), (3, 7, 6, 1), (4, 1, 1, 3), (4, 1, 1, 1)]
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def states(shape, rng):
    """Present, absent and unknown concepts."""
    state = rng.choice([1, 0, -1], size=(shape[0], shape[-1]))
    state[:3, 0] = 1, 0, -1
    return state


def some_masks(shape, rng):
    mask = rng.uniform(size=shape) * rng.choice([0, 1], size=shape)
    mask[0] = 0
    mask[1, ..., 0] = 1
    return mask


def some_boxes(shape, rng):
    """Any two, one that reaches beyond the map, all of the map, padding."""
    boxes = np.full((shape[0], 5, 4), -1.0)
    corners = np.sort(rng.uniform(size=(shape[0], 2, 2, 2)), axis=2)
    boxes[:, :2] = corners.reshape(shape[0], 2, 4)
    boxes[1:, 2] = -0.5, 0.7, 0.31, 1.5
    boxes[2, 3] = 0, 0, 1, 1
    boxes[0] = -1
    return boxes


def some_areas(shape, rng):
    area = np.sort(rng.uniform(size=(shape[0], shape[-1], 2)))
    return np.where(rng.uniform(size=area.shape) < 0.3, [-1, np.nan], area)


KNOWLEDGE = {
    "present": states,
    "concepts": states,
    "mask": some_masks,
    "mask_known": lambda shape, rng: rng.choice([0, 1], size=(shape[0], shape[-1])),
    "boxes": some_boxes,
    # Of all, of the last concept, and of one that there is not.
    "box_concepts": lambda shape, rng: rng.choice(
        [-1, shape[-1] - 1, shape[-1]], size=(shape[0], 5)
    ),
    "area": some_areas,
}


def knowledge_for(loss, shape, rng):
    """All that the loss takes, in every form there is."""
    return {
        name: KNOWLEDGE[name](shape, rng).astype("float32")
        for name in (*loss.needs, *loss.accepts)
    }
