"""Arguments of the commands that plan a conversion."""

import argparse

from keras_lap.layers.score_head import ACTIVATIONS
from keras_lap.surgery.presets import PRESETS
from keras_lap.surgery.rules import DEFAULT_WHERE, WHERE


def add_plan_arguments(parser):
    """Adds the options of `keras_lap.plan`; without one its default is taken."""
    group = parser.add_argument_group("conversion")
    group.add_argument(
        "--preset",
        choices=tuple(PRESETS),
        help="options for a network that will be told labels alone, or masks or boxes; "
        "those below override it",
    )
    group.add_argument(
        "--where",
        choices=WHERE,
        help="poolings only, or strided convolutions too (default: that of the preset, "
        f"or {DEFAULT_WHERE})",
    )
    group.add_argument(
        "--skip",
        nargs="+",
        default=(),
        metavar="LAYER",
        help="layers to leave as they are",
    )
    group.add_argument(
        "--keep-max",
        action=argparse.BooleanOptionalAction,
        help="max poolings stay, with LAP on single pixels in front (default: that of "
        "the preset, or not)",
    )
    group.add_argument(
        "--concepts",
        nargs="+",
        type=_concepts,
        default=(),
        metavar="K",
        help="number of concepts of all LAP layers, or STAGE=K or LAYER=K for some "
        "(default: one per class, where that makes sense)",
    )
    group.add_argument(
        "--hidden", type=int, metavar="N", help="hidden units of the score heads"
    )
    group.add_argument("--score-activation", choices=ACTIVATIONS, help="of the scores")
    group.add_argument(
        "--initial-score", type=float, metavar="S", help="what scores start with"
    )
    group.add_argument(
        "--detach-scores",
        action=argparse.BooleanOptionalAction,
        help="scores learn from knowledge losses alone",
    )
    group.add_argument(
        "--score-gain",
        type=float,
        metavar="G",
        help="scores learn G times as fast as the rest of the network; a positive "
        "number (default: 10 for detached scores, else 1)",
    )


def plan_options(options):
    """The arguments of `keras_lap.plan` for what was given on the command line."""
    names = (
        "preset",
        "where",
        "keep_max",
        "hidden",
        "score_activation",
        "initial_score",
        "detach_scores",
        "score_gain",
    )
    given = {name: getattr(options, name) for name in names}
    given["concepts"] = _merged(options.concepts)
    given = {name: value for name, value in given.items() if value is not None}
    return {"skip": options.skip, **given}


def _concepts(text):
    key, equals, count = text.rpartition("=")
    try:
        count = int(count)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"Expected a number K, STAGE=K or LAYER=K. Received: {text!r}"
        ) from None
    if not equals:
        return count
    return {int(key) if key.isdecimal() else key: count}


def _merged(concepts):
    """An integer, a dict, or `None` if nothing was given."""
    if not concepts:
        return None
    if all(isinstance(each, dict) for each in concepts):
        return {key: count for each in concepts for key, count in each.items()}
    if len(concepts) > 1:
        raise ValueError(
            "Expected one number of concepts for all LAP layers, or STAGE=K and LAYER=K"
            f" for some. Received: {concepts}"
        )
    return concepts[0]
