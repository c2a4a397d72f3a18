"""The way from a model and a data set to a table of metrics."""

from collections.abc import Mapping

from keras_lap.classifier.image_input import check_one_input
from keras_lap.classifier.warn_below_chance import warn_below_chance
from keras_lap.classifier.warn_of_broken_predictions import warn_of_broken_predictions
from keras_lap.evaluation.comparison.comparison import (
    FAILED,
    SAME_MODEL,
    TWO_MODELS,
    Comparison,
)
from keras_lap.evaluation.comparison.explained_model import ExplainedModel
from keras_lap.evaluation.comparison.metrics import METRICS, Metric
from keras_lap.evaluation.comparison.named_explainers import (
    NAMED_EXPLAINERS,
    default_explainers,
)
from keras_lap.evaluation.comparison.record import Record
from keras_lap.evaluation.comparison.samples_to_compare import SamplesToCompare
from keras_lap.evaluation.comparison.warn_of_ties import warn_of_ties
from keras_lap.evaluation.explainers import LAP, as_explainer
from keras_lap.evaluation.explainers.explainer import CallableExplainer
from keras_lap.evaluation.standardize_maps import standardize_maps
from keras_lap.evaluation.targets import standardize_targets
from keras_lap.graph.data_format_of import data_format_of
from keras_lap.utils.names import check_choice, check_names, listed
from keras_lap.utils.progress import Progress
from keras_lap.utils.standardize_count import standardize_count
from keras_lap.utils.warn import saying_once


@saying_once()
def compare(
    model,
    dataset,
    explainers=None,
    metrics=None,
    original=None,
    batch_size=32,
    seed=0,
    verbose="auto",
    *,
    targets="predicted",
    baseline=None,
    output=None,
    timing_rounds=3,
    data_format=None,
):
    """Measures explainers beside each other, on the same images.

    Maps are made for the class that the model **predicts**: an explanation answers why
    the model decided as it did, right or wrong, and this is what faithfulness is about.
    `targets="label"` asks for the true class instead, as the pointing game was
    published; then a map of a wrong answer is measured as well. `targets=3` asks for
    one class in all images, which is what there is to ask of a model with several
    labels per image; masks and boxes of another label are left out then.

    Given the `original` of a converted model, a second protocol compares the two, each
    with its own explainers and its own answers. It is kept apart, because two models
    differ in more than their explanations: see `Comparison`.

    An explainer or a metric that fails leaves a row with its error; the others are
    measured all the same. Each reason is warned about once per model.

    Time and memory are those of `min(8, N)` images in one call, after a call that does
    not count and without what is done once per model: the median of `timing_rounds`
    rounds in which all explainers take turns, and the peak of the memory that tensors
    (on CPU and GPU, on TensorFlow only), Python and NumPy take in one more call,
    divided by the number of images.

    Args:
        model: A classifier, `keras.Model`.
        dataset: Dict of arrays: `"image"` as the model takes them, and any of `"label"`
            `(N,)`, with -1 where it is not known, `"mask"` `(N, H, W)`, `"boxes"`
            `(N, M, 4)` (relative top, left, bottom, right, filled up with -1) and
            `"valid"`, a dict of flags `(N,)` of the masks and boxes that are known. Or
            a pair of the images and their labels or a dict of the others; or an
            iterable, such as a `tf.data.Dataset`, of such dicts or pairs, batched or
            not. All of it is read into memory. Of masks with one per class,
            `(N, H, W, K)`, and of boxes with the class of each, `"box_concepts"`
            `(N, M)`, where -1 is the label, those of the class count that the map is
            for; an image without any is left out. Labels of several outputs are not
            read.
        explainers: List of explainers, or dict from names to them. Each is an
            `Explainer`, the name of one that needs no arguments, such as `"GradCAM"`,
            or a callable `(images, targets) -> maps`. Defaults to `None`: LAP, if the
            model has LAP layers, Grad-CAM, Integrated Gradients, SmoothGrad, Vanilla
            Gradients, Occlusion, and the baselines Random, CenterGaussian and Edge.
            Grad-CAM++, LayerCAM, Gradient times input and the costly RISE have to be
            asked for.
        metrics: List of names in `keras_lap.evaluation`, or dict from names to such
            names or to callables. A callable is called with those of `maps`, `masks`,
            `boxes`, `labels`, `predict`, `images`, `targets`, `batch_size`, `seed`,
            `model` and `explainer` that it has as parameters and that no
            `functools.partial` binds, and returns a `MetricResult` or an array `(N,)`;
            its attribute `higher_is_better`, if any, is put into the table. Defaults to
            `None`: all that the data allow, but for the costly `mu_fidelity`, `road`,
            `parameter_randomisation` and `stability`. By name, `insertion` and
            `deletion` take at most 32 steps, so that large images do not take hundreds
            of predictions each; for the step that was published give
            `{"deletion": keras_lap.evaluation.deletion}`.
        original: The `keras.Model` before its conversion, or `None`. LAP explainers
            and callables, which cannot be told the model, do not explain it.
        batch_size: int, number of images per forward pass of the metrics, and of the
            default explainers.
        seed: int of at least 0, seed of what metrics draw at random.
        verbose: `"auto"` for a progress bar where it takes some seconds, `True` or
            `False`.
        targets: `"predicted"`, `"label"`, a class, or an int array `(N,)` with one for
            each image: what maps are for.
        baseline: What metrics put in the place of what they remove, in the range of the
            images: a number, one per channel, an image, one per sample, a function of
            an image, or `"blur"`. Defaults to `None`: 0, and for `insertion` `"blur"`.
        output: Name or index of the output to explain, of models with several.
            Defaults to `None`: the first, with a warning.
        timing_rounds: int, number of timed rounds, 0 to leave time and memory out.
        data_format: `"channels_last"` or `"channels_first"`, the layout of the images.
            Defaults to `None`: what the model's graph, or else its LAP layers say, or
            `keras.config.image_data_format()` if there are none. Explainers that you
            make yourself are told their own.

    Returns:
        A `Comparison`.

    Raises:
        TypeError: If an explainer or a metric is nothing of the kind.
        ValueError: If names are unknown or given twice, the data have not what a metric
            that is asked for needs, labels, masks or boxes are of classes that the
            model does not have, boxes reach beyond the images, the model has several
            inputs, or an argument does not fit.

    Example:
    >>> import keras
    >>> import numpy as np
    >>> from keras_lap.evaluation import compare
    >>> from keras_lap.evaluation.explainers import CenterGaussian, VanillaGradients
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((8, 8, 1)),
    ...         keras.layers.Flatten(),
    ...         keras.layers.Dense(3, activation="softmax"),
    ...     ]
    ... )
    >>> data = {"image": np.random.default_rng(0).random((4, 8, 8, 1))}
    >>> data["mask"] = data["image"][..., 0] > 0.5
    >>> comparison = compare(
    ...     model,
    ...     data,
    ...     [VanillaGradients(), CenterGaussian()],
    ...     metrics=["pointing_game", "insertion"],
    ...     timing_rounds=0,
    ... )
    >>> sorted({row["metric"] for row in comparison.rows})
    ['insertion', 'pointing_game']
    """
    if isinstance(targets, str):
        check_choice("targets", targets, ("predicted", "label"))
    batch_size = standardize_count("batch_size", batch_size)
    timing_rounds = standardize_count("timing_rounds", timing_rounds, least=0)
    seed = standardize_count("seed", seed, least=0)
    data_format = data_format or data_format_of(model)
    for each in (model, original):
        check_one_input(each)
    samples = SamplesToCompare.of(dataset, data_format)
    if not isinstance(targets, str):
        targets = standardize_targets(targets, len(samples.images))
    options = {"batch_size": batch_size, "data_format": data_format}
    if explainers is None:
        explainers = default_explainers(model)
    explainers = _named(explainers, options)
    metrics = _standardize_metrics(metrics, samples)
    told_the_model = {
        name: explainer
        for name, explainer in explainers.items()
        if not isinstance(explainer, LAP | CallableExplainer)
    }
    plans = {"model": (model, explainers)}
    if original is not None:
        plans["original"] = original, told_the_model
    # Before any of them is measured, so that what is wrong is told at once.
    subjects = {
        name: ExplainedModel(
            network,
            samples,
            targets=targets,
            baseline=baseline,
            output=output,
            seed=seed,
            **options,
        )
        for name, (network, _) in plans.items()
    }

    for name, subject in subjects.items():
        warn_of_broken_predictions(subject.outputs, name)
        warn_below_chance(subject.outputs, samples.labels, name, usual=0.5)

    comparison = Comparison(rows=[])
    steps = sum(len(chosen) for _, chosen in plans.values()) * (1 + len(metrics))
    progress = Progress(steps, verbose)
    for name, (_, chosen) in plans.items():
        subject = subjects[name]
        if subject.accuracy is not None:
            comparison.accuracy[name] = subject.accuracy
        comparison.targets[name] = subject.targets
        comparison.outputs[name] = subject.outputs
        protocols = [SAME_MODEL] if name == "model" else []
        record = Record(
            comparison, name, protocols + [TWO_MODELS] * (original is not None)
        )
        prepared = _measure(record, subject, chosen, metrics, progress)
        if timing_rounds and prepared:
            record.costs(prepared, subject, timing_rounds)
        if baseline is None:
            warn_of_ties(comparison, name)
    progress.close()
    comparison.rows.sort(key=lambda row: row["protocol"] != SAME_MODEL)
    return comparison


def _measure(record, subject, explainers, metrics, progress):
    """Records the metrics of all explainers; whichever fails, the others go on.

    Returns:
        Dict from the names of the explainers that did not fail to functions
        `(images, targets) -> maps`.
    """
    prepared = {}
    for name, explainer in explainers.items():
        maps = None
        try:
            maps_of = explainer.on(subject.model)
            maps = standardize_maps(maps_of(subject.images, subject.targets))
        except Exception as error:
            record.failure(name, FAILED, error)
        else:
            prepared[name] = maps_of
            record.maps(name, maps)
        progress.update()
        for metric in metrics:
            if maps is not None:
                record.measure(name, metric, subject.facts(maps, explainer))
            progress.update()
    return prepared


def _explainer(explainer, options, name=None):
    if not isinstance(explainer, str):
        return as_explainer(explainer, name, **options)
    check_names("the name of an explainer", [explainer], NAMED_EXPLAINERS)
    return NAMED_EXPLAINERS[explainer](**options)


def _named(explainers, options):
    if isinstance(explainers, Mapping):
        return {
            name: _explainer(explainer, options, name)
            for name, explainer in explainers.items()
        }
    if not isinstance(explainers, str | list | tuple):
        raise TypeError(
            "Expected `explainers` to be a list of explainers, or a dict from names to "
            f"explainers. Received: {explainers!r}"
        )
    explainers = [_explainer(each, options) for each in listed(explainers)]
    names = [explainer.name for explainer in explainers]
    if len(set(names)) < len(names):
        raise ValueError(
            f"Expected explainers of different names. Received: {names}. Give a dict "
            "from names to explainers, or name them, as in `GradCAM(name=...)`."
        )
    return dict(zip(names, explainers, strict=True))


def _standardize_metrics(metrics, samples):
    """The list of metrics to measure, of which those asked for can be."""
    if metrics is None:
        return [
            metric
            for metric in METRICS.values()
            if metric.is_cheap and not samples.lacks(metric)
        ]
    if not isinstance(metrics, Mapping):
        names = listed(metrics)
        check_names(
            "`metrics` to be names of metrics, or a dict from names to functions",
            names,
            METRICS,
        )
        metrics = dict(zip(names, names, strict=True))
    chosen = [Metric.of(metric, name) for name, metric in metrics.items()]
    for metric in chosen:
        samples.check(metric)
    return chosen
