import math

from keras_lap.evaluation import complexity
from metric_pictures.concentration import draw_values


def draw():
    """From one pixel to all of them."""
    return draw_values(complexity, lambda nats: f"{nats:.2f} = ln {math.exp(nats):.0f}")
