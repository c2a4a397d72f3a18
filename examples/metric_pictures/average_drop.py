from keras_lap.evaluation import average_drop
from metric_pictures import masked, scene


def draw():
    """What each map shows of the image, and what it is worth."""
    return masked.draw(average_drop, scene.predict, decimals=2)
