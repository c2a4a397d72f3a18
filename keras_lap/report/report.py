"""Writes explanations and what was measured on them into one HTML file."""

import os

from keras_lap.report.write_page import write_page
from keras_lap.utils.standardize_count import standardize_count
from keras_lap.utils.whole_file import path_to_write


def report(
    explanations,
    path="report.html",
    *,
    comparison=None,
    history=None,
    title=None,
    samples=500,
    verbose="auto",
):
    r"""Writes one HTML file with explanations, figures and curves, to look through.

    The file holds everything it shows and asks for nothing over a network. It has

    - a table of figures for each protocol of a comparison, with confidence intervals,
    - its curves, and those of a training,
    - a gallery of samples. One picks layer, concept and opacity, sorts by confidence
      or by disagreement with the mask, filters by label and by right and wrong
      predictions, and opens a sample for its evidence. All of it works by keyboard.

    Disagreement with the mask $M$ is the share of the energy of the label's map $m$
    that lies outside of it, with negative values set to zero:

    $$ 1 - \frac{\sum_{p \in M} \max(m_p, 0)}{\sum_p \max(m_p, 0)} $$

    It is 1 for a map without positive values, and missing for an empty mask. If a
    sample has several labels, their maps are added first. If an explanation has a
    single concept, that is taken for the map of the label.

    Maps are drawn as in `keras_lap.draw_maps`, each scaled by its own maximum unless
    the reader picks another scale. Pictures are stored as WebP, maps at a quality that
    changes them by some hundredths of their maximum; figures are computed before that.

    Args:
        explanations: A `keras_lap.explanation.Explanation`, or a dict from the names
            to show, such as those of layers, to explanations of the same images.
        path: str or path, the file to write. One that exists is replaced without a
            question. Defaults to `"report.html"` in the working folder.
        comparison: What `keras_lap.evaluation.compare` returned, or any object with its
            `rows` and `curves`. Defaults to `None`: no figures.
        history: Dict from names to lists of numbers, or of arrays of numbers, one per
            epoch, as `model.fit(...).history`. Defaults to `None`: no curves of
            training.
        title: str, heading of the page. Defaults to `None`: `"Explanations"`.
        samples: Integer, the most samples to show. Of more, as many are taken, evenly
            spaced.
        verbose: `"auto"` for a progress bar where it takes some seconds, as with
            hundreds of concepts, `True` or `False`.

    Returns:
        The `pathlib.Path` of the file.

    Raises:
        FileNotFoundError: If the folder of `path` is missing.
        ImportError: If matplotlib or Pillow is not installed.
        ValueError: If the explanations are none, of different images, or hold values
            that are not finite, `history` holds something else than numbers, or
            `samples` is below 1.
        TypeError: If an explanation, `comparison` or `history` is something else.
        OSError: If the file cannot be written. A file that was there is unharmed then.

    Example:

    >>> import pathlib, tempfile
    >>> import keras, numpy as np, keras_lap
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((16, 16, 3)),
    ...         keras.layers.Conv2D(4, 3, activation="relu"),
    ...         keras_lap.GlobalLAPooling2D(concepts=2),
    ...         keras.layers.Dense(2, activation="softmax"),
    ...     ]
    ... )
    >>> images = np.random.default_rng(0).random((4, 16, 16, 3))
    >>> explanation = keras_lap.explain(model, images, verbose=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = keras_lap.report(explanation, pathlib.Path(folder, "report.html"))
    ...     path.read_text()[:15]
    '<!doctype html>'
    """
    if isinstance(explanations, str | os.PathLike):
        raise TypeError(
            "Expected explanations first and the path after them. Received: "
            f"{os.fspath(explanations)!r} as `explanations`. Call "
            "`report(explanations, path)`."
        )
    path = path_to_write(path)
    explanations = _standardize_explanations(explanations)
    samples = standardize_count("samples", samples)
    _check_history(history)
    write_page(
        path,
        explanations,
        samples,
        comparison=comparison,
        history=history,
        title="Explanations" if title is None else str(title),
        verbose=verbose,
    )
    return path


def _standardize_explanations(explanations):
    if not isinstance(explanations, dict):
        explanations = {getattr(explanations, "combine", None) or "map": explanations}
    if not explanations:
        raise ValueError("Expected at least one explanation. Received: explanations={}")
    for name, explanation in explanations.items():
        if not hasattr(explanation, "concept_names"):
            raise TypeError(
                "Expected explanations as `keras_lap.explain` returns them. "
                f"Received: a {type(explanation).__name__} for {name!r}"
            )
    return {str(name): explanation for name, explanation in explanations.items()}


def _check_history(history):
    if history is not None and not isinstance(history, dict):
        raise TypeError(
            "Expected `history` to be a dict from names to lists, such as "
            f"`model.fit(...).history`. Received: a {type(history).__name__}"
        )
