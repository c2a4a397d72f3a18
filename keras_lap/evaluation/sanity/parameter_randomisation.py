"""Whether maps depend on what the model has learned."""

from dataclasses import dataclass

import keras
import numpy as np

from keras_lap.evaluation.curve import Curve
from keras_lap.evaluation.explainers import as_explainer
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.sanity.randomised_layers import layers_with_weights, randomise
from keras_lap.evaluation.sanity.similarity import SIMILARITIES, similarities
from keras_lap.utils.names import check_choice
from keras_lap.utils.standardize_count import standardize_count

ORDERS = ("cascading", "independent")


@dataclass(frozen=True, eq=False, repr=False)
class Randomisation(MetricResult):
    """Result of `parameter_randomisation`.

    Attributes:
        layers: tuple of str, the path of the layer that each point of the curve stands
            for, from the output backward.
    """

    layers: tuple = ()

    def passes(self, threshold=0.5):
        """Whether the maps changed enough.

        Args:
            threshold: float, what the upper end of the confidence interval of the mean
                has to stay below. Defaults to `0.5`. It is a choice of this library:
                the source shows curves and draws no line.
        """
        return self.interval()[1] < threshold


def parameter_randomisation(
    model,
    images,
    targets,
    explainer,
    *,
    order="cascading",
    similarity="spearman",
    steps=None,
    seed=0,
):
    r"""Similarity of the maps to those of the same model with random weights.

    An explanation of what a model has learned must change when the model forgets it.
    The layers with weights are drawn anew, one after the other from the output
    backward, and the maps made again for the same targets. **Lower is better**: an
    explainer whose maps stay the same does not depend on the weights and fails.

    The score head of each LAP layer counts as a layer of its own. Weights are drawn
    from the initializers of their layers, or shuffled where these are functions or
    arrays, or not known. The model is given all its weights back, also if the explainer
    fails.

    Source: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018.

    Args:
        model: A built `keras.Model`.
        images: Array `(N, H, W, C)`, or as the model takes them.
        targets: Int array `(N,)`, the class that each map is for, or one int.
        explainer: An `Explainer`, or a callable `(images, targets) -> maps` that uses
            `model` and keeps nothing computed from its weights.
        order: `"cascading"`: each layer is added to those drawn before; the value of a
            sample is the similarity when all are random. `"independent"`: only one
            layer is random at a time; the value is the mean over the layers.
        similarity: `"spearman"`, the rank correlation of the pixels;
            `"absolute_spearman"`, that of their absolute values; or `"ssim"`. See
            `keras_lap.evaluation.sanity.similarity`. Defaults to `"spearman"`.
        steps: int, number of points at which the maps are made, evenly spread over the
            layers, with the last among them. Defaults to `None`: after every layer.
        seed: int of at least 0, seed of the weights. Defaults to `0`.

    Returns:
        A `Randomisation`: a `MetricResult` whose values are similarities, with a curve
        over the layers, their paths in `layers`, and `passes()`. Samples with a map
        that is not finite are left out.

    Raises:
        ValueError: If the model has no weights, `order` or `similarity` is unknown,
            `steps` is below 1 or `seed` below 0, or the images or targets do not fit.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation import parameter_randomisation
    >>> from keras_lap.evaluation.explainers import Edge
    >>> model = keras.Sequential(
    ...     [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    ... )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> result = parameter_randomisation(model, images, 0, Edge())
    >>> round(result.mean, 9), result.passes()
    (1.0, False)
    """
    check_choice("order", order, ORDERS)
    check_choice("similarity", similarity, tuple(SIMILARITIES))
    if steps is not None:
        steps = standardize_count("steps", steps)
    seed = standardize_count("seed", seed, least=0)
    explainer = as_explainer(explainer)
    layers = layers_with_weights(model)
    if not layers:
        raise ValueError(
            f"Expected a built model with weights. Received: {model.name!r} with none"
        )
    chosen = _spread(len(layers), steps)
    explained = explainer.on(model)
    before = explained(images, targets)
    generator = np.random.default_rng(seed)
    trained = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    lines = []
    try:
        for index, weights in enumerate(layers.values()):
            if order == "cascading" or index in chosen:
                randomise(weights, generator)
            if index in chosen:
                after = explained(images, targets)
                lines.append(similarities(before, after, SIMILARITIES[similarity]))
            if order == "independent":
                _restore(model, trained)
    finally:
        _restore(model, trained)
    y = np.stack(lines, axis=1)
    y[np.isnan(y).any(axis=1)] = np.nan
    names = list(layers)
    return Randomisation(
        values=y[:, -1] if order == "cascading" else y.mean(axis=1),
        curve=Curve(chosen + 1, y, "layers from the output on", similarity),
        layers=tuple(names[index] for index in chosen),
    )


def _spread(count, steps):
    """Indices of the layers behind which the maps are made."""
    if steps is None or steps >= count:
        return np.arange(count)
    return np.unique(np.linspace(0, count - 1, steps + 1).round().astype(int)[1:])


def _restore(model, weights):
    for variable, value in zip(model.weights, weights, strict=True):
        variable.assign(value)
