"""Reports: explanations and figures in one HTML file."""

from keras_lap.report.report import report

__all__ = ["report"]
