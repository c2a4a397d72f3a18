"""What the features of a TensorFlow data set say, one function per data set."""

from keras_lap.datasets.targets.caltech_birds2011 import caltech_birds2011
from keras_lap.datasets.targets.celeb_a import celeb_a
from keras_lap.datasets.targets.cluttered_digits import cluttered_digits
from keras_lap.datasets.targets.crowded_digits import crowded_digits
from keras_lap.datasets.targets.imagenet2012 import imagenet2012
from keras_lap.datasets.targets.oxford_iiit_pet import oxford_iiit_pet
from keras_lap.datasets.targets.spotted_beetles import spotted_beetles

__all__ = [
    "caltech_birds2011",
    "celeb_a",
    "cluttered_digits",
    "crowded_digits",
    "imagenet2012",
    "oxford_iiit_pet",
    "spotted_beetles",
]
