"""The options of LAP layers that a plan leaves to the user."""

from keras_lap.layers import GlobalLAPooling2D

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
        raise TypeError(
            f"Expected options of LAP layers, which are {', '.join(known)}. "
            f"Received: {', '.join(unknown)}"
        )
    GlobalLAPooling2D(**options)
