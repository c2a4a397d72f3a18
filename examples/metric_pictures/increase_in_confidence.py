from keras_lap.evaluation import increase_in_confidence
from metric_pictures import masked


def draw():
    """What each map shows of the image, and what it is worth."""
    return masked.draw(increase_in_confidence, masked.predict_between, decimals=0)
