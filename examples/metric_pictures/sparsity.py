from keras_lap.evaluation import sparsity
from metric_pictures.concentration import draw_values


def draw():
    """From one pixel to all of them."""
    return draw_values(sparsity, "{:.2f}".format)
