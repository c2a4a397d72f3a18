"""Knowledge in graphs that know no sizes, as only TensorFlow has them."""

import keras
import numpy as np
import pytest
from tolerances import assert_close, tolerance

from keras_lap.injection.knowledge import Knowledge
from keras_lap.injection.places.even_cells import even_cells
from keras_lap.injection.places.resize_area import resize_area
from keras_lap.losses import Consistency, SupervisedLayer

if keras.config.backend() != "tensorflow":
    pytest.skip("TensorFlow itself is tested", allow_module_level=True)

import tensorflow as tf


def test_sizes_not_known_in_a_graph_are_not_checked():
    @tf.function(input_signature=[tf.TensorSpec([None] * 4), tf.TensorSpec([None] * 3)])
    def check(images, mask):
        Knowledge(np.array([2, 0, 1]), {"mask": mask}).check_against(
            images, "channels_last"
        )
        return True

    assert check(np.zeros((2, 8, 6, 3)), np.zeros((1, 6, 8)))


@pytest.mark.parametrize(
    "name, advice",
    [("boxes", r"pad it in the data set, by `to_tensor\(-1\)`"), ("mask", "one size")],
)
def test_ragged_tensors_are_refused_with_what_to_do(name, advice):
    ragged = tf.RaggedTensor.from_row_lengths(tf.zeros((3, 4)), [2, 1])
    known = Knowledge(np.array([2, 0]), {name: ragged})
    with pytest.raises(ValueError, match=f"'{name}'.*a ragged tensor: .*{advice}"):
        known.check_against(np.zeros((2, 8, 6, 3)), "channels_last")


def test_one_graph_resizes_maps_of_all_sizes(rng):
    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None, None, 2]),
            tf.TensorSpec(2, tf.int32),
        ]
    )
    def resize(maps, size):
        return resize_area(maps, even_cells((size[0], size[1])))

    sizes = [((8, 8), (4, 4)), ((6, 9), (2, 3)), ((5, 7), (3, 2)), ((100, 7), (7, 3))]
    sizes += [((3, 3), (7, 5)), ((4, 5), (1, 1)), ((1, 1), (2, 3))]
    for source, target in sizes:
        maps = rng.uniform(size=(2, *source, 2)).astype("float32")
        expected = resize_area(maps, even_cells(target))
        assert_close(resize(maps, target), expected, **tolerance("float32", 100))


def test_layers_of_unknown_sizes_are_compared_in_one_graph(rng):
    traces = []

    @tf.function(input_signature=[[tf.TensorSpec([None, None, None, 2])] * 2])
    def evaluate(logits):
        traces.append(1)
        return Consistency()([SupervisedLayer(z) for z in logits])

    for sizes in ([(3, 6, 4, 2), (3, 3, 2, 2)], [(2, 7, 5, 2), (2, 3, 5, 2)]):
        logits = [rng.normal(size=size).astype("float32") for size in sizes]
        expected = Consistency()([SupervisedLayer(z) for z in logits])
        assert_close(evaluate(logits), expected, **tolerance("float32", 30))
    assert len(traces) == 1
