"""Functions compiled by the backend of Keras."""

import keras
import numpy as np
import pytest

from keras_lap.utils.compiled import compiled

pytestmark = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="TensorFlow traces functions"
)


def test_one_trace_serves_batches_of_any_size():
    traces = []

    def doubled(batch):
        traces.append(batch.shape)
        return 2 * batch

    run = compiled(doubled, [], any_batch=True)
    for count in (3, 1, 5):
        found = run(np.ones((count, 2), "float32"))
        np.testing.assert_array_equal(found, np.full((count, 2), 2))
    assert [tuple(shape) for shape in traces] == [(None, 2)]


def test_functions_that_have_to_know_how_many_there_are():
    def flat(batch):
        return keras.ops.reshape(batch, (2 * batch.shape[0],))

    run = compiled(flat, [], any_batch=True)
    for count in (3, 1):
        assert run(np.ones((count, 2), "float32")).shape == (2 * count,)


def test_arguments_that_are_not_there():
    traces = []

    def total(batch, other):
        traces.append(other)
        return batch if other is None else batch + other

    run = compiled(total, [], any_batch=True)
    for count in (3, 1):
        batch = np.ones((count, 2), "float32")
        np.testing.assert_array_equal(run(batch, None), batch)
    assert traces == [None]
