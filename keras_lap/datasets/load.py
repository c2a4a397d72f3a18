"""Batches to train on, from a data set of TensorFlow Datasets."""

import tensorflow as tf
import tensorflow_datasets as tfds

from keras_lap.datasets.named_builder import check_is_name, named_builder
from keras_lap.datasets.stretched import stretched
from keras_lap.datasets.with_knowledge import with_knowledge
from keras_lap.utils.standardize_count import standardize_count


def load(
    name,
    split="train",
    image_size=(224, 224),
    batch_size=32,
    *,
    knowledge=None,
    layers=(),
    shuffle=0,
    seed=None,
    **options,
):
    """Loads a data set as batches of images and targets for `fit`.

    Images are shuffled as they are stored, then decoded, resized and augmented in
    parallel, and prepared while the model is busy with earlier ones. Nothing is kept in
    memory but the encoded images that are shuffled.

    Args:
        name: Name of the data set, or a `tfds.core.DatasetBuilder`. It is downloaded
            and prepared if it was not yet.
        split: What to load, as in `"train"` or `"train[:80%]"`.
        image_size: Height and width to stretch images and masks to, or `None` if all
            images have one size, or `layers` resize them.
        batch_size: Number of images in a batch; the last one may have fewer.
        knowledge: Function that makes `(image, targets)` of a dict of features; by
            default `with_knowledge(name)`. Boxes need the same number of rows for each
            image: pad them with -1.
        layers: Preprocessing layers for `augmented`, applied to each image by
            itself after it was resized. `keras.layers.Resizing` among them, with
            `crop_to_aspect_ratio` or `pad_to_aspect_ratio`, keeps the shape of things.
        shuffle: Number of images among which the next one is drawn, or 0 to keep the
            order. The files are shuffled as well, if the data set has no order.
        seed: Seed of the order, which then is the same whenever the data set is
            loaded; `None` for another one each time. Layers have seeds of their own,
            but do not repeat what they draw, as images are prepared in parallel.
        **options: Arguments of `tfds.builder`, such as `data_dir`.

    Returns:
        A `tf.data.Dataset` of `(images, targets)`; images are float32
        `(N, height, width, channels)` in `[0, 255]` if `image_size` is given.

    Raises:
        TypeError: For arguments of `tfds.builder` beside a builder.
        ValueError: If there is no such data set or config, its features are not known
            and `knowledge` is not given, `image_size` is no pair, another argument is
            out of its range, or for a layer that `augmented` refuses.
    """
    batch_size = standardize_count("batch_size", batch_size)
    # `True` would say among one image, where nothing is shuffled.
    shuffle = 0 if shuffle is False else standardize_count("shuffle", shuffle, least=0)
    is_builder = isinstance(name, tfds.core.DatasetBuilder)
    if is_builder and options:
        raise TypeError(
            "Expected further arguments for `tfds.builder` only beside the name of a "
            f"data set. Received a builder and {sorted(options)}"
        )
    if not is_builder:
        check_is_name(name)
    knowledge = knowledge or with_knowledge(name.name if is_builder else name)
    builder = name if is_builder else named_builder(name, **options)
    augment = stretched(image_size, layers)

    builder.download_and_prepare()
    features = builder.info.features
    pictures = [
        key for key, kind in features.items() if isinstance(kind, tfds.features.Image)
    ]
    dataset = builder.as_dataset(
        split=split,
        decoders={key: tfds.decode.SkipDecoding() for key in pictures},
        shuffle_files=shuffle > 0 and not builder.info.disable_shuffling,
        read_config=tfds.ReadConfig(shuffle_seed=seed, skip_prefetch=True),
    )
    if shuffle:
        dataset = dataset.shuffle(shuffle, seed)

    def prepare(example):
        decoded = {key: features[key].decode_example(example[key]) for key in pictures}
        return augment(*knowledge({**example, **decoded}))

    dataset = dataset.map(prepare, num_parallel_calls=tf.data.AUTOTUNE)
    return dataset.batch(batch_size).prefetch(tf.data.AUTOTUNE)
