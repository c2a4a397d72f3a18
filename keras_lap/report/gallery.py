"""What the gallery of a report shows: samples, their predictions and their maps."""

import numpy as np

from keras_lap.explanation.displayable import displayable
from keras_lap.report.map_evidence import map_evidence, tiles_across
from keras_lap.report.pictures import encoded, shrunk
from keras_lap.report.prediction_facts import prediction_facts
from keras_lap.utils.evenly_spaced import evenly_spaced
from keras_lap.utils.progress import Progress
from keras_lap.utils.resized_masks import resized_masks

# Pixels along an edge of the pictures in the file.
_IMAGE_SIDE = 384
_MASK_SIDE = 128
_QUALITY = 90


def gallery(explanations, samples, verbose, origin=None):
    """What the page shows of explanations.

    Args:
        explanations: Dict from names to explanations of the same images.
        samples: The most samples to show; of more, so many are taken, evenly spaced.
        verbose: Whether to show a progress bar, as `Progress` takes it.
        origin: Where the explanations are of some samples out of more, a tuple: how
            many there were, and the int array `(N,)` of the indices of those explained.

    Returns:
        A dict that is ready for JSON.

    Raises:
        ValueError: If the explanations are of different images or labels, or of none,
            or if a map or a prediction is not finite.
    """
    images = _shared(explanations, "images")
    if not len(images):
        raise ValueError("Expected at least one image. Received: explanations of none.")
    total, indices = origin or (len(images), np.arange(len(images)))
    chosen = evenly_spaced(len(images), samples)
    places = indices[chosen]
    pictures = displayable(images[chosen])
    files = _shared(explanations, "files")
    masks = _known_masks(_shared(explanations, "masks"), chosen)
    labels, known = _label_lists(_shared(explanations, "labels"), chosen)
    models, model_of = _models(explanations, chosen, labels, known)
    return {
        "total": total,
        "size": images.shape[1:3],
        "classes": _class_names(explanations, labels),
        "layers": [
            _layer(name, explanation, model)
            for (name, explanation), model in zip(
                explanations.items(), model_of, strict=True
            )
        ],
        "samples": [
            {
                "index": int(places[row]),
                "file": None if files is None else files[index],
                "labels": labels[row],
                "image": _encoded_image(pictures[row]),
                "mask": None if masks[row] is None else _encoded_mask(masks[row]),
                "models": [facts[row] for facts in models],
                "maps": [
                    map_evidence(name, explanation, index, labels[row], masks[row])
                    for name, explanation in explanations.items()
                ],
            }
            for row, index in enumerate(_tracked(chosen, verbose))
        ],
    }


def _tracked(indices, verbose):
    progress = Progress(len(indices), verbose, unit="sample")
    for index in indices:
        yield index
        progress.update()
    progress.close()


def _shared(explanations, attribute):
    """What is the same in all explanations that have it, or None if none has."""
    found = {
        name: value
        for name, explanation in explanations.items()
        if (value := getattr(explanation, attribute)) is not None
    }
    (first, shared), *others = found.items() or [(None, None)]
    for name, value in others:
        is_float = np.asarray(shared).dtype.kind == "f"
        if not np.array_equal(shared, value, equal_nan=is_float):
            raise ValueError(
                "Expected explanations of the same images, in the same order. "
                f"Received: other {attribute} for {name!r} than for {first!r}. Explain "
                "the same images, or write a report of each."
            )
    return shared


def _label_lists(labels, chosen):
    """The classes that each sample is labelled with.

    And, where there may be several per sample, those of which that is known, or None.
    """
    if labels is None:
        return [[] for _ in chosen], None
    if labels.ndim == 2 and labels.shape[1] > 1:
        is_single = (labels >= 0).all() and ((labels > 0).sum(axis=1) == 1).all()
        known = None if is_single else _where(labels[chosen] >= 0)
        return _where(labels[chosen] > 0), known
    single = labels[chosen].reshape(-1).astype(int).tolist()
    return [[label] if label >= 0 else [] for label in single], None


def _where(flags):
    return [np.flatnonzero(row).tolist() for row in flags]


def _known_masks(masks, chosen):
    """The mask of each sample, None where it is empty."""
    if masks is None:
        return [None for _ in chosen]
    return [mask if mask.any() else None for mask in masks[chosen]]


def _models(explanations, chosen, labels, known):
    """Facts of the predictions, once for all explanations that share them."""
    distinct, facts, model_of = [], [], []
    for name, explanation in explanations.items():
        outputs = explanation.outputs
        if outputs is not None:
            outputs = outputs[chosen]
        same = [k for k, other in enumerate(distinct) if np.array_equal(outputs, other)]
        if not same:
            same = [len(distinct)]
            distinct.append(outputs)
            logits = explanation.from_logits
            facts.append(prediction_facts(name, outputs, logits, labels, known))
        model_of += same
    return facts, model_of


def _class_names(explanations, labels):
    """The name of every class that is predicted or a label."""
    named, counts = [], [max(classes, default=-1) + 1 for classes in labels]
    for explanation in explanations.values():
        named = named or explanation.class_names or []
        if explanation.outputs is not None:
            counts.append(explanation.outputs.shape[-1])
    return [*named, *map(str, range(len(named), max(counts)))]


def _layer(name, explanation, model):
    of_class = {}
    if explanation.class_concepts is not None and len(explanation.concepts) > 1:
        speaks = explanation.class_concepts[:, explanation.concepts]
        of_class = {
            str(k): np.flatnonzero(row).tolist() for k, row in enumerate(speaks)
        }
    return {
        "name": name,
        "model": model,
        "concepts": explanation.concept_names,
        "of_class": of_class,
        "across": tiles_across(len(explanation.concepts)),
    }


def _encoded_image(image):
    return encoded(shrunk(image, _IMAGE_SIDE), quality=_QUALITY)


def _encoded_mask(mask):
    share = min(1, _MASK_SIDE / max(mask.shape))
    size = [max(1, round(pixels * share)) for pixels in mask.shape]
    # What is outside of the mask is transparent.
    opacity = np.where(resized_masks(mask, size), 255, 0).astype(np.uint8)
    return encoded(
        np.dstack([np.full((*opacity.shape, 3), 255, np.uint8), opacity]), lossless=True
    )
