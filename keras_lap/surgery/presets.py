"""Options of `keras_lap.plan` that belong together, by what the network is told.

`docs/opening_gates.md` tells what was seen of each option, and the study trains
networks by them. They are this library's own.
"""

from keras_lap.utils.names import check_choice

PRESETS = {
    # The task trains the scores, since labels alone do not say where to look.
    "labels": {"where": "all", "hidden": 32},
    # Masks or boxes alone train them, and a score of zero lets nothing pass.
    "places": {
        "where": "all",
        "keep_max": True,
        "hidden": 32,
        "score_activation": "ramp",
        "initial_score": 0.5,
        "detach_scores": True,
    },
}


def preset_options(preset):
    """The options of a preset, none for `None`.

    Raises:
        ValueError: If there is no such preset.
    """
    if preset is None:
        return {}
    check_choice("preset", preset, tuple(PRESETS))
    return dict(PRESETS[preset])
