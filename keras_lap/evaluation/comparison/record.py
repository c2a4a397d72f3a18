"""The rows of a comparison, written one metric and explainer at a time."""

import numpy as np

from keras_lap.evaluation.comparison.costs import costs
from keras_lap.utils.warn import warn

_TIMED_IMAGES = 8
# What is cheapest does not explain best.
_COST = {"higher_is_better": False, "is_ranked": False}


class Record:
    """Writes what was found about the explainers of one model into a comparison.

    Args:
        comparison: The `Comparison` to write into.
        model: Name of the model.
        protocols: Names of the protocols that it is part of.
    """

    def __init__(self, comparison, model, protocols):
        self._comparison = comparison
        self._model = model
        self._protocols = protocols
        self._told = set()

    def maps(self, explainer, maps):
        """Writes the maps of an explainer."""
        self._comparison.maps[self._model, explainer] = maps

    def measure(self, explainer, metric, facts):
        """Writes what a `Metric` makes of the facts, be it a failure."""
        kind = {
            "higher_is_better": metric.higher_is_better,
            "is_ranked": metric.is_ranked,
        }
        try:
            result = metric.measure(facts)
        except Exception as error:
            self.failure(explainer, metric.name, error, **kind)
            return
        low, high = result.interval()
        self._add(
            explainer,
            metric.name,
            mean=result.mean,
            low=low,
            high=high,
            counted=result.counted,
            left_out=result.left_out,
            **kind,
        )
        for protocol in self._protocols:
            key = protocol, self._model, explainer, metric.name
            self._comparison.results[key] = result
            if result.curve is not None:
                names = ("protocol", "model", "explainer", "metric")
                self._comparison.curves.append(
                    dict(zip(names, key, strict=True))
                    | {
                        "x": result.curve.x,
                        "y": result.curve.mean,
                        "x_name": result.curve.x_name,
                        "y_name": result.curve.y_name,
                    }
                )

    def failure(self, explainer, name, error, **kind):
        """Writes that something failed, and warns of each reason once."""
        reason = f"{type(error).__name__}: {error}"
        if reason not in self._told:
            warn(
                f"{name} of {explainer!r} on {self._model!r} failed and is left out, "
                f"as is what fails for the same reason: {reason}",
            )
            self._told.add(reason)
        self._add(explainer, name, error=reason, **kind)

    def costs(self, prepared, subject, rounds):
        """Measures and writes what maps cost, be it a failure.

        Args:
            prepared: Dict from names of explainers to functions
                `(images, targets) -> maps`.
            subject: The `ExplainedModel`.
            rounds: Number of rounds to time.
        """
        images, targets = (
            subject.images[:_TIMED_IMAGES],
            subject.targets[:_TIMED_IMAGES],
        )
        calls = {
            name: lambda maps_of=maps_of: maps_of(images, targets)
            for name, maps_of in prepared.items()
        }
        for name, cost in costs(calls, rounds).items():
            if isinstance(cost, Exception):
                self.failure(name, "seconds per image", cost, **_COST)
                continue
            seconds = cost.seconds / len(images)
            self._add(
                name,
                "seconds per image",
                mean=float(np.median(seconds)),
                low=float(seconds.min()),
                high=float(seconds.max()),
                counted=len(images),
                **_COST,
            )
            peak = cost.peak_mib / len(images)
            if np.isnan(peak):
                continue
            self._add(
                name,
                "peak MiB per image",
                mean=peak,
                low=peak,
                high=peak,
                counted=len(images),
                **_COST,
            )

    def _add(self, explainer, metric, **found):
        nothing = {"mean": np.nan, "low": np.nan, "high": np.nan}
        nothing |= {"counted": 0, "left_out": 0}
        nothing |= {"higher_is_better": None, "is_ranked": True}
        for protocol in self._protocols:
            self._comparison.rows.append(
                {
                    "protocol": protocol,
                    "model": self._model,
                    "explainer": explainer,
                    "metric": metric,
                    **nothing,
                    "error": None,
                    **found,
                }
            )
