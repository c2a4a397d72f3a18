"""Builders of TensorFlow Datasets, by name."""

import re

import tensorflow_datasets as tfds

from keras_lap.utils.names import check_names

# Those with namespaces or arguments are left to TFDS.
_NAME = re.compile(r"(\w+)(?:/([\w.-]+))?(?::[\d.*]+)?")
# What only paths hold.
_PATH = re.compile(r"^[./~]|\\|://")


def check_is_name(name):
    """Raises a `ValueError` for a path, or anything else, in place of a name."""
    if not isinstance(name, str) or _PATH.search(name):
        raise ValueError(
            'Expected the name of a data set, as in "cluttered_digits/decoy", or a '
            f"`tfds.core.DatasetBuilder`. Received: {name!r}. Folders of images are "
            "loaded by `keras_lap.datasets.from_folders`; the folder in which TFDS "
            "keeps its data sets is the argument `data_dir`."
        )


def named_builder(name, **options):
    """`tfds.builder`, with errors that name what there is instead.

    Args:
        name: Name of a data set, possibly with a config and a version behind it.
        **options: Arguments of `tfds.builder`.

    Returns:
        A `tfds.core.DatasetBuilder`.

    Raises:
        ValueError: If there is no such data set or config, or as of `tfds.builder`.
    """
    # First TFDS, which finds data sets and configs by their files as well.
    try:
        return tfds.builder(name, **options)
    except ValueError as error:
        problem = error
    if parts := _NAME.fullmatch(name):
        known, config = parts.groups()
        config = options.get("config", config)
        if isinstance(problem, tfds.core.DatasetNotFoundError):
            names = tfds.list_builders(with_community_datasets=False)
            check_names("a data set of TensorFlow Datasets", [known], names)
        elif isinstance(config, str):
            configs = list(tfds.builder_cls(known).builder_configs)
            if not configs:
                raise ValueError(
                    f"Expected the name of {known!r} alone, which has no configs. "
                    f"Received: config {config!r}"
                ) from problem
            check_names(f"a config of {known!r}", [config], configs)
    raise problem
