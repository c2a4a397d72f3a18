"""Explanations read from the forward pass."""

import functools

from keras_lap.classifier.gives_logits import gives_logits
from keras_lap.classifier.labels import check_labels, standardize_labels
from keras_lap.classifier.standardize_masks import standardize_masks
from keras_lap.classifier.warn_below_chance import warn_below_chance
from keras_lap.classifier.warn_of_broken_predictions import warn_of_broken_predictions
from keras_lap.explanation.batches_with_passes import batches_with_passes
from keras_lap.explanation.combine import COMBINATIONS
from keras_lap.explanation.explanation import Explanation
from keras_lap.explanation.given_targets import given_targets
from keras_lap.explanation.image_source import image_source
from keras_lap.explanation.model_concepts import model_concepts
from keras_lap.explanation.pass_reader import PassReader
from keras_lap.utils.class_concepts import standardize_class_concepts
from keras_lap.utils.collected import Collected
from keras_lap.utils.names import check_choice
from keras_lap.utils.progress import Progress
from keras_lap.utils.standardize_count import standardize_count
from keras_lap.utils.to_numpy import to_numpy
from keras_lap.utils.warn import saying_once, warn

_ADVICE = "Ask for some of the concepts with `concepts=[...]`, or take fewer images."


@saying_once()
def explain(
    model,
    images,
    concepts=None,
    layers=None,
    combine="flow",
    batch_size=32,
    *,
    labels=None,
    masks=None,
    concept_names=None,
    class_names=None,
    class_concepts=None,
    output=None,
    verbose="auto",
):
    """Concept maps of images, read from the forward pass of a model with LAP layers.

    A map holds the concept scores that decided what the LAP layers let through, placed
    on the image. There is one forward pass per batch, in inference mode and without
    gradients, and the model is not changed. Of many batches the pass is compiled, see
    `keras_lap.explanation.recorded_pass.compiled_pass`.

    Several LAP layers are combined in one of these ways:

    - `"flow"`: how much of each pixel gets through all of them. From the last LAP layer
      backward, with its concept scores `S` and unnormalised window weights `w` (the
      best pixel of a window `O_u` has `w = 1`),
      `R_l(p) = S_l(p) * max_{u : p in O_u} w_{l,u,p} * R_{l+1}(u)`, where
      `R_{l+1}` is interpolated at the pixels that layer `l` passes on, and `R = S` at
      the end. Where LAP layers stand on parallel branches, or a branch leads around
      one, the way with the larger `R` counts. This is approximate, because the
      convolutions in between spread information over their receptive fields.
    - `"mean"` and `"product"`: arithmetic and geometric mean at input size.
    - `"layer"`: the scores of one LAP layer alone, of its last call if it is shared.

    Scores by a ramp of the logits `Z` are 1 from `Z = 1` on, wherever a layer is sure
    enough to let all through. So that maps tell where it is surest, they are multiplied
    by the geometric mean of `sigmoid(Z)` at each pixel over all calls of such layers.

    A LAP layer with a single concept beside others with `K` serves all `K` concepts.
    Layers with `scores="features"` have no concepts and are left out. Where a
    converted layer's `gate` is 0, its scores did not decide anything yet, and the map
    shows what they would let through; a warning says so until all gates are open.

    Scores are placed at the centres of the receptive fields of their pixels, as far as
    the graph of the model tells them, see
    `keras_lap.graph.receptive_grids.receptive_grids`, with bilinear interpolation. A
    warning names the steps of which it is not known where they put pixels.

    A warning is given if the images seem to have another range than those that the
    model was trained on, see `keras_lap.classifier.range_warning`. Images beside other
    inputs are not looked into.

    Args:
        model: A `keras.Model` that takes images, possibly along with inputs of other
            ranks. In a subclassed model every map is taken to extend over the whole
            image.
        images: One of these, all images of one size:

            - Array or tensor `(N, H, W, C)`, in the range that the model expects, or
              `(N, C, H, W)` if the LAP layers are `channels_first`.
            - Path or list of paths of image files. They are read in the range
              `[0, 255]`, also those of 16 bits, and resized to the model's input. If
              none of 16 bits has a value above 16383, a warning is given.
              Without a graph, as in a subclassed model, they are read in colour.
            - All inputs of a model that takes images and something else, as for
              `predict`: a dict, list or tuple of arrays.
            - `tf.data.Dataset`, or any other iterable of batches, of images, of
              `(images, labels)`, or with a dict of targets that may hold `"label"`,
              `"mask"`, and in `"valid"` flags of the masks that are real. Dicts with
              `"image"` beside these will do too. Labels of several outputs are left
              out, and with a warning those of a dict whose first batch has no whole
              numbers: give those that you want as `labels`. The files are those that a
              data set has as its list `files`, as one of
              `keras_lap.datasets.from_folders`.
        concepts: List of the indices or names of the concepts to return, or `None` for
            all. The maps of all of many classes take much memory.
        layers: List of names of LAP layers, or `None` for all of them. In nested models
            paths such as `"backbone/pool1"` will do too; a name that several layers
            have stands for each of them.
        combine: `"flow"`, `"mean"`, `"product"` or `"layer"`: the layer named in
            `layers`, by default the deepest.
        batch_size: Number of images per forward pass, where they do not come in
            batches.
        labels: Array `(N,)` of class indices, or `(N, classes)` of zeros and ones, with
            -1 or NaN where one is not known. By default those of the data set. One-hot
            rows become indices where the predictions are probabilities of one class per
            image; beside logits, which may be of several labels, they stay.
        masks: Array `(N, h, w)` or `(N, h, w, K)`, where values above 0.5 are inside,
            of any resolution with the aspect ratio of the images, or of their files. Of
            one mask per concept of the model the union of those is taken that speak
            for the labels, by `class_concepts`; of all, if that is not known. By
            default those of the data set, whose own labels choose the masks, also
            beside `labels`.
        concept_names: List of the names of all of the model's concepts. By default
            that of a class for the concept that speaks for it, if it speaks for no
            other and is its only one, and otherwise `"concept 3"`.
        class_names: List of the names of the classes. By default those that a data set
            has as its `class_names`; if they are not as many as the classes, they are
            left out, and a warning is given.
        class_concepts: Which concepts speak for which class: array
            `(classes, concepts)` of zeros and ones, or ints `(classes,)`, the one
            concept of each. By default concept `k` speaks for class `k` where there are
            as many of both, also where their names differ, and a single one for class 1
            of a single output.
        output: Name or index of the output that predicts the class, if there are
            several. By default the first. Only LAP layers that lead to it are read, as
            far as the graph of the model tells.
        verbose: Whether there is a progress bar: `True`, `False`, or `"auto"` for one
            where it takes more than some seconds.

    Returns:
        An `Explanation`. Its `maps` are float32 `(N, H, W, K)` with values in `[0, 1]`,
        one per concept, in the order of `concepts`. They are raw: nothing is rescaled
        per image.

    Raises:
        FileNotFoundError: If files are missing; all are named, and nothing is computed.
        MemoryError: If the maps would not fit into memory.
        TypeError: If `model` is no Keras model.
        ValueError: If the images do not fit the model or are not finite, labels are of
            classes that it does not have or of another number of them, it has no LAP
            layer with concepts that leads to the output, their numbers of concepts
            differ, or an argument is unknown or out of its range.

    Example:
    >>> import keras
    >>> import keras_lap
    >>> import numpy as np
    >>> from keras_lap.explanation import explain
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((32, 32, 3)),
    ...         keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
    ...         keras_lap.LAPooling2D(2),
    ...         keras.layers.Conv2D(8, 3, padding="same", activation="relu"),
    ...         keras_lap.GlobalLAPooling2D(concepts=10),
    ...         keras.layers.Dense(10),
    ...     ]
    ... )
    >>> images = np.random.default_rng(0).random((4, 32, 32, 3))
    >>> explanation = explain(model, images)
    >>> explanation.maps.shape
    (4, 32, 32, 10)
    >>> explanation.of(3).shape, explanation.of([3, 1, 4, 1]).shape
    ((4, 32, 32), (4, 32, 32))
    """
    check_choice("combine", combine, tuple(COMBINATIONS))
    batch_size = standardize_count("batch_size", batch_size)
    if class_concepts is not None:
        class_concepts = standardize_class_concepts(class_concepts)
    passes = PassReader(model, layers, combine, output)
    taken = passes.taken
    source = image_source(images, taken, batch_size, verbose)
    # What comes with the data set is collected, unless it is given.
    targets = given_targets(labels, masks, source, taken)
    kept = {
        name: Collected(name, _ADVICE, source.samples, source.batch_count)
        for name in ("images", "maps", "scores", "predictions", "labels", "masks")
    }
    progress = Progress(source.batch_count, verbose)
    reader = None
    for batch, forward in batches_with_passes(model, source):
        seen = passes.read(batch.images, *forward(batch.inputs))
        if reader is None:
            reader = seen.reader
            if class_names is None:
                class_names = _names_that_fit(source.class_names, seen.classes)
            class_concepts, concept_names = model_concepts(
                seen, class_concepts, concept_names, class_names
            )
            concepts = reader.indices(concepts, concept_names)
            check_labels(targets.get("labels"), seen.predictions)
            kept["maps"].check(
                (*seen.images.shape[:3], len(concepts)),
                "float32",
                beside=seen.images[:1].nbytes if source.images is None else 0,
            )
            chosen = functools.partial(
                standardize_masks,
                size=seen.images.shape[1:3],
                class_concepts=class_concepts,
                any_aspect=source.is_stretched,
            )
            if "masks" in targets:
                targets["masks"] = chosen(
                    targets["masks"], labels=targets.get("labels")
                )
        if source.images is None:
            kept["images"].add(seen.images)
        if "labels" not in targets:
            check_labels(batch.labels, seen.predictions)
        masks = batch.masks
        if masks is not None:
            masks = chosen(masks, labels=batch.labels, valid=batch.valid)
        maps, scores = reader.read(seen.records, concepts)
        found = {
            "maps": maps,
            "scores": scores,
            "predictions": seen.predictions,
            "labels": batch.labels,
            "masks": masks,
        }
        for name, array in found.items():
            if array is not None:
                kept[name].add(array)
        # Not to be there beside those of the next batch.
        del seen, maps, found
        progress.update()
    progress.close()
    if reader is None:
        raise ValueError("Expected images. Received: a data set without any")
    arrays = _arrays(kept, targets, source, taken)
    explanation = Explanation(
        **arrays,
        from_logits=gives_logits(model, output),
        concept_names=[concept_names[index] for index in concepts],
        class_names=class_names,
        concepts=concepts,
        class_concepts=class_concepts,
        files=_files_that_fit(source.files, len(arrays["maps"])),
        layers=reader.layers,
        combine=combine,
    )
    if explanation.outputs is not None:
        warn_below_chance(explanation.outputs, explanation.labels)
    return explanation


def _arrays(kept, targets, source, taken):
    """What was collected of the batches and what was given, by name."""
    arrays = {name: collected.array() for name, collected in kept.items()}
    if arrays["predictions"] is not None:
        warn_of_broken_predictions(arrays["predictions"])
    if arrays["labels"] is not None and len(arrays["labels"]) != len(arrays["maps"]):
        # Those of other batches were left out.
        arrays["labels"] = None
    arrays |= targets
    if source.images is not None:
        arrays["images"] = taken.last(to_numpy(source.images))
    arrays["labels"] = standardize_labels(arrays["labels"], arrays["predictions"])
    return arrays


def _files_that_fit(files, count):
    """The files of the images if there are as many, or `None`."""
    if not files or len(files) == count:
        return files or None
    warn(
        f"The data set has {len(files)} `files`, but {count} images. The files are "
        "left out of the explanation. Give each image its file, in the same order."
    )
    return None


def _names_that_fit(names, classes):
    """The names of a data set if they are as many as the model's classes, or `None`."""
    if not names or classes is None:
        return None
    if len(names) == classes:
        return names
    warn(
        f"The data set has {len(names)} `class_names`, but the model predicts "
        f"{classes} classes. The names are left out, and its labels may be of other "
        f"classes than the model's. Pass `class_names`, {classes} in the order of the "
        "model, and `labels` in that order, if they are in another."
    )
    return None
