"""What a model's outputs mean, by the loss that it is compiled with."""

import keras
import pytest
from keras import losses

from keras_lap.injection.losses.compiled_outputs import compiled_outputs

pytestmark = pytest.mark.torch_suffices

LOSSES = {
    "name": ("squared_hinge", "hinge"),
    "name of a class": ("CategoricalHinge", "hinge"),
    "function": (losses.hinge, "hinge"),
    "object": (losses.Hinge(), "hinge"),
    "of several kinds": (["hinge", "kl_divergence", "binary_crossentropy"], "sigmoid"),
    "does not tell": ("mse", None),
    "of one's own": (lambda labels, outputs: labels - outputs, None),
}


@pytest.mark.parametrize("loss, outputs", LOSSES.values(), ids=LOSSES)
def test_compiled_outputs(loss, outputs):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", loss)
    assert compiled_outputs(model) == outputs
