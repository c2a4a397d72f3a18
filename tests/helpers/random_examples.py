"""Examples that TensorFlow Datasets makes up where nothing can be downloaded."""

import contextlib
from unittest import mock

import numpy as np
import tensorflow_datasets as tfds


@contextlib.contextmanager
def random_examples(count):
    """Lets any data set consist of `count` random examples while it lasts."""
    encode = tfds.features.BBoxFeature.encode_example

    def encode_in_order(self, box):
        return encode(self, np.sort(np.reshape(box, (2, 2)), axis=0).ravel())

    # TFDS makes up boxes whose ends lie before their beginnings, and refuses them.
    ordered = mock.patch.object(
        tfds.features.BBoxFeature, "encode_example", encode_in_order
    )
    policy = tfds.testing.MockPolicy.USE_CODE
    with ordered, tfds.testing.mock_data(count, policy=policy):
        yield
