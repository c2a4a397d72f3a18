"""The options of LAP layers that a plan leaves to the user."""

import difflib

from keras_lap.layers import GlobalLAPooling2D

PLAN_ARGUMENTS = ("where", "skip", "image_size", "preset", "keep_max")
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
    # Chosen by `with_score_gain`.
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
        hint = _hint(unknown, known)
        raise TypeError(
            f"Expected options of LAP layers, which are {', '.join(known)}. "
            f"Received: {', '.join(unknown)}{hint}"
        )
    GlobalLAPooling2D(**with_score_gain(options))


def _hint(unknown, known):
    """What may have been meant by unknown options, or `""`."""
    hint, others = "", [option for option in unknown if option not in PLAN_ARGUMENTS]
    if planned := [option for option in unknown if option in PLAN_ARGUMENTS]:
        hint = f". {', '.join(planned)}: for a whole plan, give it to `keras_lap.plan`"
    if near := others and difflib.get_close_matches(others[0], known, n=1):
        hint += f". Did you mean {near[0]}?"
    return hint


def with_score_gain(options):
    """Options of a LAP layer, with the gain chosen where it is left open.

    Scores that are detached are taught by knowledge alone and have to know their places
    before the gates open, so they learn ten times as fast as the network. Scores that
    the task trains too learn as fast as the network: ten times as fast they closed the
    first gates of fine-tuned networks before the layers behind could follow.

    Args:
        options: Dict of all options but `concepts`, and of that or not.

    Returns:
        A dict with the same keys.
    """
    if options["score_gain"] is not None:
        return options
    return {**options, "score_gain": 10.0 if options["detach_scores"] else 1.0}
