"""What the library does where nothing is said."""

import inspect

import keras_lap
from keras_lap.callbacks import GateAnneal
from keras_lap.surgery.lap_options import LAP_DEFAULTS
from keras_lap.surgery.rules import DEFAULT_WHERE


def library_defaults():
    """Dict from options of an `Arm`, those of its `lap` among them, to defaults.

    `anneal` is an epoch, where that of an `Arm` is a share of the training. What an arm
    is told and which layers it names are choices of the study alone.
    """
    plan = inspect.signature(keras_lap.plan).parameters
    # One concept per class in all layers, with as few classes as here.
    concepts = {"auto": "everywhere", 1: "one"}[plan["concepts"].default]
    return {
        **LAP_DEFAULTS,
        "where": DEFAULT_WHERE,
        "keep_max": False,
        "concepts": concepts,
        "anneal": inspect.signature(GateAnneal).parameters["end"].default,
    }
