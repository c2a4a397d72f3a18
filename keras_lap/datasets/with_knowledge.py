"""From the features of TensorFlow's data sets to images and targets."""

import functools
import inspect

from keras_lap.datasets import targets
from keras_lap.utils.names import check_names

_TARGETS = {name: getattr(targets, name) for name in targets.__all__}


def with_knowledge(name, **options):
    """Returns the function that makes images and targets of a data set's examples.

    `tfds.load(name, split="train").map(with_knowledge(name))` yields what
    `keras_lap.callbacks.KnowledgeInjection` takes, before images are resized and made
    batches of, which `keras_lap.datasets.load` does as well. For a data set
    that is not listed, write the function yourself: it takes a dict of features and
    returns `(image, targets)`.

    | name                | label                              | what else is known |
    |---------------------|------------------------------------|--------------------|
    | `oxford_iiit_pet`   | breed, or with `label="species"`   | `mask`; its border |
    |                     | cat or dog                         | is animal, unless  |
    |                     |                                    | `border=0.0`       |
    | `caltech_birds2011` | species                            | `mask`, `boxes`    |
    | `celeb_a`           | all of the attributes, or with     | `concepts`, of     |
    |                     | `label="Smiling"` that one         | `attributes=[...]` |
    |                     |                                    | or all 40          |
    | `imagenet2012`      | class; targets are the label alone | nothing            |
    | `cluttered_digits`  | digit                              | `mask`, `boxes`    |
    | `crowded_digits`    | ten times whether the digit is     | `mask` and `boxes` |
    |                     | there                              | of each digit,     |
    |                     |                                    | `concepts`         |
    | `spotted_beetles`   | species                            | `mask`, `boxes`,   |
    |                     |                                    | `concepts`, of     |
    |                     |                                    | `attributes=[...]` |
    |                     |                                    | or all 11          |

    Args:
        name: Name of the data set. A config or version behind it, as in
            `"cluttered_digits/decoy"`, makes no difference.
        **options: Options of the data set, as in the table.

    Returns:
        Function of a dict of features.

    Raises:
        ValueError: If the data set is not listed, or has no such option.

    Example:

    >>> import numpy as np
    >>> from keras_lap.datasets import with_knowledge
    >>> features = {
    ...     "image": np.zeros((1, 3, 3), "uint8"),
    ...     "segmentation_mask": np.array([[[1], [2], [3]]], "uint8"),
    ...     "label": 7,
    ... }
    >>> image, targets = with_knowledge("oxford_iiit_pet", border=0.5)(features)
    >>> targets["label"], targets["mask"].numpy().tolist()
    (7, [[1.0, 0.0, 0.5]])
    """
    known = name.split("/")[0].split(":")[0]
    check_names(
        "a data set whose features are known, or in `load`, as `knowledge`, a function "
        "of your own that makes `(image, targets)` of them",
        [known],
        _TARGETS,
    )
    make = _TARGETS[known]
    options_of = list(inspect.signature(make).parameters)[1:]
    check_names(f"options of {known!r}", options, options_of)
    return functools.partial(make, **options)
