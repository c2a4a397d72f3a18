"""Model surgery: trained networks converted to networks with LAP layers."""

from keras_lap.surgery.convert import convert
from keras_lap.surgery.lap_layers import lap_layers

__all__ = ["convert", "lap_layers"]
