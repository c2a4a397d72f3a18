"""One of a model's outputs, by its name or index."""

import keras
import numpy as np
import pytest

from keras_lap.classifier.chosen_output import chosen_output

FIRST, SECOND, OTHER = (np.full((2, 3), value) for value in range(3))


def function(images):
    return images


@pytest.mark.parametrize("output", [np.array([0, 1]), np.array([1]), True, 1.0, 2, -3])
def test_what_is_no_index(output):
    with pytest.raises(ValueError, match=r"from 0 to 1, .* Received: output="):
        chosen_output(function, [FIRST, SECOND], output)


@pytest.mark.parametrize("output", [1, -1, np.int64(1), np.array(1), "output 1"])
def test_what_is_the_second(output):
    assert chosen_output(function, [FIRST, SECOND], output) is SECOND


@pytest.mark.parametrize(
    "output, expected",
    [(None, FIRST), ("z 0", FIRST), ("z 1", SECOND), (1, SECOND), ("y", OTHER)],
)
def test_lists_in_a_dict(output, expected):
    outputs = {"z": [FIRST, SECOND], "y": OTHER}
    assert chosen_output(function, outputs, output) is expected


def test_lists_in_the_dict_of_a_model():
    inputs = keras.Input((3,))
    tensors = {"z": [inputs + 1, inputs + 2], "y": inputs + 3}
    model = keras.Model(inputs, tensors)
    for output, tensor in ((None, tensors["z"][0]), ("z 1", tensors["z"][1])):
        assert chosen_output(model, model.output, output) is tensor


def test_name_of_a_list_in_a_dict():
    with pytest.raises(ValueError, match=r"Received: 'z'. Did you mean \['z \d"):
        chosen_output(function, {"z": [FIRST, SECOND]}, "z")
