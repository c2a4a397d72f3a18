"""The options of LAP layers that a plan leaves to the user."""

import difflib

from keras_lap.layers import GlobalLAPooling2D

PLAN_ARGUMENTS = ("where", "skip", "image_size")
LAP_DEFAULTS = {
    "hidden": None,
    "weighting": "gaussian",
    "gating": "score",
    "alpha": 2.0,
    "scores": "max",
    "score_activation": "sigmoid",
    # Near 1, so that an opening gate keeps the scale the trained network is used to.
    "initial_score": 0.95,
    "detach_scores": False,
    # Chosen by `completed`.
    "score_gain": None,
}


def check_options(options):
    """Checks the options of LAP layers before any is changed.

    Args:
        options: Dict of options, `concepts` among them or not.

    Raises:
        TypeError: If one is unknown.
        ValueError: If a value is out of its range.
    """
    known = [*LAP_DEFAULTS, "concepts"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        near = difflib.get_close_matches(unknown[0], [*known, *PLAN_ARGUMENTS], n=1)
        hint = f". Did you mean {near[0]}?" if near else ""
        raise TypeError(
            f"Expected options of LAP layers, which are {', '.join(known)}. "
            f"Received: {', '.join(unknown)}{hint}"
        )
    GlobalLAPooling2D(**completed(options))


def completed(options):
    """Options of LAP layers with those that depend on others filled in.

    Detached scores learn tenfold, to be there when gates close. Those that the task
    trains too learn like the network: tenfold they closed first gates for good, in
    training the features behind which then starved.
    """
    options = {**LAP_DEFAULTS, **options}
    if options["score_gain"] is None:
        options["score_gain"] = 10.0 if options["detach_scores"] else 1.0
    return options
