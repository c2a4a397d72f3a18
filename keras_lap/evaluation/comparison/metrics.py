"""The metrics that `compare` knows by name."""

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass

from keras_lap.evaluation.conciseness import complexity, sparsity
from keras_lap.evaluation.faithfulness import (
    average_drop,
    average_gain,
    deletion,
    increase_in_confidence,
    insertion,
    mu_fidelity,
    road,
)
from keras_lap.evaluation.metric_result import MetricResult
from keras_lap.evaluation.sanity import parameter_randomisation, stability
from keras_lap.evaluation.validity import (
    box_localisation,
    energy_in_mask,
    iou_at_equal_area,
    iou_over_thresholds,
    pointing_game,
)
from keras_lap.utils.names import check_names

STEPS = 32


@dataclass(frozen=True)
class Metric:
    """A function that measures maps.

    Attributes:
        name: Name in tables.
        function: Called with those of the things that `compare` has that it names as
            its parameters, but for what a `functools.partial` binds; returns a
            `MetricResult`.
        higher_is_better: `True`, `False`, or `None` if neither is better.
        is_ranked: Whether the best mean is that of the best explanation. It is not
            where what explains nothing may have it.
        is_cheap: Whether it is measured unless asked otherwise: with a few forward
            passes per image, or none.
    """

    name: str
    function: Callable
    higher_is_better: bool | None = None
    is_ranked: bool = True
    is_cheap: bool = False

    @classmethod
    def of(cls, metric, name):
        """A metric of a name of `METRICS`, or of a user's function.

        Raises:
            TypeError: If it is neither.
            ValueError: If there is no such name.
        """
        if isinstance(metric, str):
            check_names("the name of a metric", [metric], METRICS)
            return dataclasses.replace(METRICS[metric], name=name)
        if not callable(metric):
            raise TypeError(
                "Expected a metric to be a name, or a function that returns a "
                f"MetricResult. Received: {metric!r} for {name!r}"
            )
        # A function of this library is known by itself, too, in a partial as well.
        function, bound = _parts(metric)
        known = METRICS.get(getattr(function, "__name__", None))
        is_known = known is not None and inspect.unwrap(known.function) is function
        # That of `road` decides what is better.
        better = known.higher_is_better if is_known and "order" not in bound else None
        better = getattr(metric, "higher_is_better", better)
        return cls(name, metric, better, known.is_ranked if is_known else True)

    @property
    def needs(self):
        """Names of the parameters without a default."""
        return {
            parameter.name
            for parameter in self._parameters()
            if parameter.default is parameter.empty
        }

    def measure(self, facts):
        """Calls the function.

        Args:
            facts: Dict of all that it may have as parameters. Images have channels
                last, but for functions that are given the model itself.

        Raises:
            ValueError: If it does not return one value per image.
        """
        known = {parameter.name for parameter in self._parameters()} & set(facts)
        given = {name: facts[name] for name in known}
        if {"model", "images"} <= known:
            given["images"] = facts["images_of_model"]
        result = self.function(**given)
        if not isinstance(result, MetricResult):
            result = MetricResult(result)
        count = len(facts["maps"])
        if len(result.values) != count:
            raise ValueError(
                f"Expected one value for each of {count} images. Received: "
                f"{len(result.values)}. Give NaN to images that are left out."
            )
        return result

    def _parameters(self):
        _, bound = _parts(self.function)
        return [
            parameter
            for name, parameter in inspect.signature(self.function).parameters.items()
            if name not in bound
            and parameter.kind
            in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        ]


def _parts(function):
    """The function in a `functools.partial`, and the keywords that it binds."""
    if isinstance(function, functools.partial):
        return function.func, function.keywords
    return function, {}


def _metric(function, higher_is_better, is_ranked=True, is_cheap=True):
    return Metric(function.__name__, function, higher_is_better, is_ranked, is_cheap)


def _in_few_steps(function):
    """Insertion or deletion with a curve of at most `STEPS` steps."""

    @functools.wraps(function)
    def measured(predict, images, maps, targets, **options):
        height, width = maps.shape[1:]
        step = max(height, width, math.ceil(height * width / STEPS))
        return function(predict, images, maps, targets, step=step, **options)

    return measured


METRICS = {
    metric.name: metric
    for metric in (
        _metric(pointing_game, True),
        _metric(energy_in_mask, True),
        _metric(iou_over_thresholds, True),
        _metric(iou_at_equal_area, True),
        _metric(box_localisation, True),
        _metric(_in_few_steps(insertion), True),
        _metric(_in_few_steps(deletion), False),
        _metric(average_drop, False),
        _metric(increase_in_confidence, True),
        _metric(average_gain, True),
        _metric(mu_fidelity, True, is_cheap=False),
        # From the most important pixels on, which is its default.
        _metric(road, False, is_cheap=False),
        _metric(sparsity, None),
        _metric(complexity, None),
        _metric(parameter_randomisation, False, is_cheap=False),
        # A map that never moves need not explain anything.
        _metric(stability, False, is_ranked=False, is_cheap=False),
    )
}
