"""Whether maps stay where the image almost does."""

import numpy as np

from keras_lap.evaluation.explainers import as_explainer
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.utils.names import check_choice
from keras_lap.utils.standardize_count import standardize_count


def _lipschitz(moved, distance, size):
    return (moved / distance).max(axis=0)


def _largest(moved, distance, size):
    return moved.max(axis=0) / size


def _mean(moved, distance, size):
    return moved.mean(axis=0) / size


MEASURES = {"largest": _largest, "mean": _mean, "lipschitz": _lipschitz}


def stability(
    model,
    images,
    targets,
    explainer,
    *,
    measure="largest",
    noise=0.01,
    samples=8,
    seed=0,
):
    r"""How far the maps move when the images are moved a little.

    With draws $x_k$ of the image $x$ with Gaussian noise, and the maps $m$ and $m_k$,
    in Euclidean norms:

    - `"largest"`: $\max_k \lVert m_k - m \rVert / \lVert m \rVert$;
    - `"mean"`: the mean over $k$ of the same;
    - `"lipschitz"`: $\max_k \lVert m_k - m \rVert / \lVert x_k - x \rVert$, an estimate
      from below of the local Lipschitz constant. It is in the units of the maps, so it
      compares models, and not explainers.

    **Lower is better**, but a map that never moves, such as a constant, says nothing.

    Source: Alvarez-Melis and Jaakkola, "On the Robustness of Interpretability Methods",
    2018, for the local Lipschitz estimate, where the points come from a ball; Yeh
    et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019, for the
    largest change, which is divided by the norm of the map here.

    Args:
        model: A `keras.Model`.
        images: Array `(N, H, W, C)`, or as the model takes them. Noisy images stay
            within the range of all images, and integers integers.
        targets: Int array `(N,)`, the class that each map is for, or one int.
        explainer: An `Explainer`, or a callable `(images, targets) -> maps`.
        measure: `"largest"`, `"mean"` or `"lipschitz"`. Defaults to `"largest"`.
        noise: float above 0, standard deviation of the noise as a share of the range of
            all images. Defaults to `0.01`.
        samples: int of at least 1, number of noisy draws. Defaults to `8`.
        seed: int of at least 0, seed of the noise. Defaults to `0`.

    Returns:
        A `MetricResult`. Samples are left out that a draw did not move, as where
        integers are rounded back, and those with a map that is not finite, or zero
        everywhere with `"largest"` and `"mean"`.

    Raises:
        ValueError: If `measure` is unknown, `noise`, `samples` or `seed` out of its
            range, or the images or targets do not fit.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation import stability
    >>> from keras_lap.evaluation.explainers import VanillaGradients
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> stability(model, images, 0, VanillaGradients()).mean  # The model is linear.
    0.0
    """
    check_choice("measure", measure, tuple(MEASURES))
    if not noise > 0:
        raise ValueError(f"Expected noise above 0. Received: {noise=}")
    samples = standardize_count("samples", samples)
    seed = standardize_count("seed", seed, least=0)
    images = np.asarray(images)
    maps_of = as_explainer(explainer).on(model)
    maps = maps_of(images, targets)
    generator = np.random.default_rng(seed)
    moved, distance = [], []
    for _ in range(samples):
        noisy = _noisy(images, noise, generator)
        moved.append(_norms(maps_of(noisy, targets).astype(np.float64) - maps))
        distance.append(_norms(noisy.astype(np.float64) - images))
    moved, distance = np.array(moved), np.array(distance)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = MEASURES[measure](moved, distance, _norms(maps))
    is_counted = np.isfinite(values) & (distance > 0).all(axis=0)
    return MetricResult(np.where(is_counted, values, np.nan))


def _noisy(images, noise, generator):
    low, high = float(images.min()), float(images.max())
    noisy = images + generator.normal(0, noise * (high - low), images.shape)
    if images.dtype.kind in "iu":
        noisy = noisy.round()
    return noisy.clip(low, high).astype(images.dtype)


def _norms(arrays):
    return np.linalg.norm(arrays.reshape(len(arrays), -1).astype(np.float64), axis=1)
