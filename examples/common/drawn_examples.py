"""Drawn images in the place of a data set that is not here."""

import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

# Values of masks outside of the object and inside, where they are not 0 and 255.
_MASK_VALUES = {"oxford_iiit_pet": (2, 1)}


def drawn_examples(count):
    """Lets data sets of TFDS consist of drawn images, in every split the same.

    Noise of some size, with an ellipse whose colour tells the class, stored as the data
    set stores images. Of the features there are the image, the label, and, where the
    data set has them, mask and box; they fit each other.

    Args:
        count: Number of images.

    Returns:
        A context manager. Nothing is downloaded while it lasts.
    """

    def as_dataset(builder, split, **_):
        features = builder.info.features
        kinds = {
            "image": tf.TensorSpec((), "string"),
            "label": tf.TensorSpec((), "int64"),
            "segmentation_mask": tf.TensorSpec((), "string"),
            "bbox": tf.TensorSpec((4,), "float32"),
        }
        kinds = {name: kind for name, kind in kinds.items() if name in features}
        values = _MASK_VALUES.get(builder.name, (0, 255))

        def generate():
            rng = np.random.default_rng(0)
            for _ in range(count):
                label = rng.integers(features["label"].num_classes)
                example = _draw(rng, label, values)
                yield {name: example[name] for name in kinds}

        dataset = tf.data.Dataset.from_generator(generate, output_signature=kinds)
        return dataset.apply(tf.data.experimental.assert_cardinality(count))

    policy = tfds.testing.MockPolicy.USE_CODE
    return tfds.testing.mock_data(policy=policy, as_dataset_fn=as_dataset)


def _draw(rng, label, mask_values):
    """All features of one example."""
    size = rng.integers(80, 160, 2)
    center, radii = rng.uniform(0.35, 0.65, 2), rng.uniform(0.15, 0.3, 2)
    rows, columns = np.indices(size) / size[:, None, None]
    distance = ((rows - center[0]) / radii[0]) ** 2
    inside = (distance + ((columns - center[1]) / radii[1]) ** 2 < 1)[..., None]
    colour = np.random.default_rng(label).uniform(0, 255, 3)
    image = np.where(inside, colour, 128) + rng.normal(0, 20, (*size, 3))
    mask = np.where(inside, mask_values[1], mask_values[0])
    return {
        "image": _encode(image.clip(0, 255)),
        "label": label,
        "segmentation_mask": _encode(mask),
        "bbox": np.concatenate([center - radii, center + radii]),
    }


def _encode(pixels):
    return tf.io.encode_png(pixels.astype("uint8")).numpy()
