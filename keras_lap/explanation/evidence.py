"""What the concepts of one image say about its prediction."""

from dataclasses import dataclass

import numpy as np

# How many of the concepts are printed.
_PRINTED = 5


@dataclass(frozen=True)
class ConceptEvidence:
    """Where one concept is in one image, and how strongly.

    Attributes:
        concept: Index of the concept.
        name: Its name.
        score: Its highest score in the deepest layer read, in `[0, 1]`, as in
            `Explanation.scores`.
        strength: The highest value of its map.
        peak: Row and column of the first pixel of the map with that value, or `None` if
            the map is nowhere positive.
        box: `(top, left, bottom, right)` in pixels, bottom and right exclusive, around
            all pixels of at least half of that value, or `None` likewise.
        area: Share of the image's pixels that have at least half of that value.
    """

    concept: int
    name: str
    score: float
    strength: float
    peak: tuple[int, int] | None
    box: tuple[int, int, int, int] | None
    area: float


@dataclass(frozen=True, eq=False)
class Evidence:
    """The concepts of one image, and what sets its prediction off from the runner-up.

    Printed, it is a short table, or a sentence if every map is zero.

    Attributes:
        index: Index of the image.
        file: Its file, or `None`.
        predicted: Index of the predicted class, or `None` without predictions.
        runner_up: Index of the class with the second highest output, or `None` if
            there are no other classes.
        outputs: The outputs of these two.
        class_names: Names of these two.
        concepts: List of `ConceptEvidence`, highest score first.
        for_predicted: Those that speak for the predicted class and not for the
            runner-up; `None` if it is not known which concepts speak for which class,
            or if some of the two classes' concepts were not asked for.
        for_runner_up: Likewise, the other way round.
        difference: Float32 array `(H, W)`, the highest of the maps of the predicted
            class's concepts minus that of the runner-up's, or `None` likewise. The map
            of a class without concepts is zero.
    """

    index: int
    file: str | None
    predicted: int | None
    runner_up: int | None
    outputs: tuple
    class_names: tuple
    concepts: list
    for_predicted: list | None
    for_runner_up: list | None
    difference: np.ndarray | None

    def __str__(self):
        lines = [f"image {self.index}" + (f", {self.file}" if self.file else "")]
        named = zip(
            ("predicted", "runner-up"), self.class_names, self.outputs, strict=False
        )
        lines += [f"{role}: {name} ({output:.3g})" for role, name, output in named]
        if not any(one.strength > 0 for one in self.concepts):
            lines += ["", "every map is zero"]
            if self.predicted is not None:
                lines[-1] += ": the prediction rests on no place that they show"
            return "\n".join(lines)
        lines += ["", "what there is, by score:", *_table(self.concepts[:_PRINTED])]
        if len(self.concepts) > _PRINTED:
            lines.append(f"and {len(self.concepts) - _PRINTED} with lower scores")
        if self.difference is not None:
            for role, other in ((0, 1), (1, 0)):
                found = (self.for_predicted, self.for_runner_up)[role]
                name, against = self.class_names[role], self.class_names[other]
                lines += ["", f"for {name} and not for {against}:", *_table(found)]
        return "\n".join(lines)

    __repr__ = __str__


def evidence(explanation, index):
    """What the concepts of one image say about its prediction.

    Args:
        explanation: An `Explanation`.
        index: Index of the image.

    Returns:
        An `Evidence`.

    Raises:
        IndexError: If there is no such image.
    """
    count = len(explanation)
    if not -count <= index < count:
        raise IndexError(
            f"Expected the index of one of {count} images. Received: {index}"
        )
    index = range(count)[index]
    found = [
        _concept_evidence(explanation, index, position)
        for position in np.argsort(-explanation.scores[index], kind="stable")
    ]
    outputs = explanation.outputs
    classes = () if outputs is None else np.argsort(-outputs[index], kind="stable")[:2]
    classes = [int(class_) for class_ in classes]
    only_predicted = only_runner_up = difference = None
    speaks = explanation.class_concepts
    if len(classes) == 2 and speaks is not None:
        rows = [np.flatnonzero(speaks[class_]) for class_ in classes]
        if np.isin(np.concatenate(rows), explanation.concepts).all():
            only_predicted, only_runner_up = (
                [
                    one
                    for one in found
                    if one.concept in mine and one.concept not in not_
                ]
                for mine, not_ in (rows, rows[::-1])
            )
            difference = np.subtract(
                *(_highest(explanation, index, concepts) for concepts in rows)
            )
    return Evidence(
        index=index,
        file=explanation.files[index] if explanation.files else None,
        predicted=classes[0] if classes else None,
        runner_up=classes[1] if classes[1:] else None,
        outputs=tuple(float(outputs[index, class_]) for class_ in classes),
        class_names=tuple(explanation.class_name(class_) for class_ in classes),
        concepts=found,
        for_predicted=only_predicted,
        for_runner_up=only_runner_up,
        difference=difference,
    )


def _concept_evidence(explanation, index, position):
    map_ = explanation.maps[index, ..., position]
    strength = float(map_.max())
    peak, box, area = None, None, 0.0
    if strength > 0:
        peak = tuple(map(int, np.unravel_index(map_.argmax(), map_.shape)))
        inside = map_ >= strength / 2
        rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
        box = rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
        box, area = tuple(map(int, box)), float(inside.mean())
    return ConceptEvidence(
        concept=explanation.concepts[position],
        name=explanation.concept_names[position],
        score=float(explanation.scores[index, position]),
        strength=strength,
        peak=peak,
        box=box,
        area=area,
    )


def _highest(explanation, index, concepts):
    """The highest of the maps of some concepts, zero without any."""
    positions = np.flatnonzero(np.isin(explanation.concepts, concepts))
    return explanation.maps[index][..., positions].max(axis=-1, initial=0)


def _table(concepts):
    if not concepts:
        return ["  nothing"]
    head = "concept"
    width = max(len(head), *(len(one.name) for one in concepts))
    lines = [f"  {head:<{width}}  score  strength  {'peak':<10}  {'box':<19}  area"]
    for one in concepts:
        peak, box = one.peak or "-", one.box or "-"
        lines.append(
            f"  {one.name:<{width}}  {one.score:5.2f}  {one.strength:8.2g}  "
            f"{peak!s:<10}  {box!s:<19}  {one.area:4.0%}"
        )
    return lines
