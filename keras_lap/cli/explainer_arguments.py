"""Arguments that say by which explainers, and of which concepts, maps are made."""

import argparse

from keras_lap.evaluation.comparison.named_explainers import (
    DEFAULT_EXPLAINERS,
    NAMED_EXPLAINERS,
    default_explainers,
)
from keras_lap.evaluation.explainers import Xplique
from keras_lap.utils.names import check_names

_XPLIQUE = "xplique:"
_HIGHEST = "highest"


def add_explainer_arguments(parser):
    """Adds `--explainers` and `--class-concepts`."""
    parser.add_argument(
        "--explainers",
        nargs="+",
        metavar="NAME",
        help=f"any of {', '.join(NAMED_EXPLAINERS)}, and {_XPLIQUE}METHOD if "
        f"xplique is installed (default: {', '.join(DEFAULT_EXPLAINERS)})",
    )
    parser.add_argument(
        "--class-concepts",
        nargs="+",
        metavar="K",
        type=_concept,
        help="the concept that stands for each class, one number per class, or "
        "highest, for the highest of all (default: concept k for class k)",
    )


def explainers_of(options, model, **settings):
    """The explainers that were named on the command line.

    Args:
        options: What was given there.
        model: The model to explain.
        **settings: Arguments that all explainers take.

    Returns:
        List as `compare` takes it, or `None` for its default.

    Raises:
        ValueError: If there is none of a name, or `--class-concepts` mixes numbers with
            `highest`.
    """
    class_concepts = _class_concepts(options.class_concepts)
    names = options.explainers
    if names is None and class_concepts is not None:
        names = default_explainers(model)
    return names and [_explainer(name, class_concepts, settings) for name in names]


def concept_of_each_class(options):
    """What `explain` takes as `class_concepts`."""
    given = _class_concepts(options.class_concepts)
    return None if given == _HIGHEST else given


def _concept(argument):
    if argument != _HIGHEST and not argument.isdecimal():
        raise argparse.ArgumentTypeError(
            f"expected a number of a concept, or {_HIGHEST}. Received: {argument!r}"
        )
    return argument if argument == _HIGHEST else int(argument)


def _class_concepts(given):
    """What `LAP` takes as `class_concepts`."""
    if given == [_HIGHEST]:
        return _HIGHEST
    if given and _HIGHEST in given:
        raise ValueError(
            f"Expected --class-concepts to be numbers, or {_HIGHEST} alone. "
            f"Received: {given}"
        )
    return given


def _explainer(name, class_concepts, settings):
    if name.startswith(_XPLIQUE):
        return Xplique(name.removeprefix(_XPLIQUE), **settings)
    check_names("the names of explainers", [name], NAMED_EXPLAINERS)
    if name == "LAP":
        settings = {**settings, "class_concepts": class_concepts}
    return NAMED_EXPLAINERS[name](**settings)
