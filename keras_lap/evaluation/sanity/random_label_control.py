"""Whether maps depend on what the labels say."""

import numpy as np

from keras_lap.evaluation.explainers import as_explainer
from keras_lap.evaluation.explainers.explainer import CallableExplainer
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.sanity.similarity import SIMILARITIES, similarities
from keras_lap.utils.names import check_choice


def random_label_control(
    model,
    images,
    targets,
    explainer,
    *,
    control=None,
    train=None,
    labels=None,
    similarity="spearman",
    seed=0,
):
    """Similarity of the maps to those of a model that was trained on permuted labels.

    Such a model has learned its images by heart, for what they show says nothing about
    their labels. **Lower is better**: an explainer whose maps stay the same shows the
    images and not what was learned from their labels.

    Source: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018.

    Args:
        model: The `keras.Model` that was trained on the true labels.
        images: Array `(N, H, W, C)`, or as the models take them.
        targets: Int array `(N,)`, the class that each map is for, in both models, or
            one int.
        explainer: An `Explainer`. A callable does not do, as there are two models.
        control: The model that was trained on permuted labels, of the same kind, or
            `None` to have one trained.
        train: Function that takes permuted labels, an array like `labels`, and returns
            a new `keras.Model` trained on them as `model` was on the true ones. Used if
            there is no `control`.
        labels: Array whose first axis is that of the training images: the true labels,
            for `train`.
        similarity: `"spearman"`, `"absolute_spearman"` or `"ssim"`, see
            `keras_lap.evaluation.sanity.similarity`. Defaults to `"spearman"`.
        seed: int, seed of the permutation. Defaults to `0`.

    Returns:
        A `MetricResult` whose values are similarities. Samples with a map that is not
        finite are left out.

    Raises:
        TypeError: If `explainer` is a plain callable, or no explainer.
        ValueError: If there is neither a control nor both `train` and `labels`,
            `similarity` is unknown, or the images or targets do not fit.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation import random_label_control
    >>> from keras_lap.evaluation.explainers import VanillaGradients
    >>> def network(labels=None):  # And trained on them, in earnest.
    ...     return keras.Sequential(
    ...         [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    ...     )
    >>> images = np.random.default_rng(0).random((4, 8, 8, 3))
    >>> random_label_control(
    ...     network(), images, 0, VanillaGradients(), train=network, labels=range(100)
    ... ).mean < 0.5
    True
    """
    check_choice("similarity", similarity, tuple(SIMILARITIES))
    explainer = as_explainer(explainer)
    if isinstance(explainer, CallableExplainer):
        raise TypeError(
            "Expected an Explainer, which is told the model. Received: the callable "
            f"{explainer.name!r}. Make a subclass of "
            "`keras_lap.evaluation.explainers.Explainer` of it."
        )
    if control is None and (train is None or labels is None):
        raise ValueError(
            "Expected a model trained on permuted labels, or a function that trains "
            f"one and the labels. Received: {control=}, {train=}, and labels of type "
            f"{type(labels).__name__}"
        )
    # First, so that what is wrong with arguments does not cost a training.
    first = explainer.explain(model, images, targets)
    if control is None:
        control = train(np.random.default_rng(seed).permutation(np.asarray(labels)))
    second = explainer.explain(control, images, targets)
    return MetricResult(similarities(first, second, SIMILARITIES[similarity]))
