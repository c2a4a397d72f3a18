from keras_lap.evaluation import deletion
from metric_pictures import games


def draw():
    """Each map with its value, and the probability as its pixels are set to zero."""
    return games.draw(deletion)
