from keras_lap.evaluation import average_gain
from metric_pictures import masked


def draw():
    """What each map shows of the image, and what it is worth."""
    return masked.draw(average_gain, masked.predict_between, decimals=2)
