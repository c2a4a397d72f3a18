"""Question E: what does each part do?"""

import inspect

import keras_lap
from keras_lap.surgery.lap_options import with_score_gain
from study_grid.arms import (
    ABLATIONS,
    ATTRIBUTES,
    LAP_MASKS_TUNED,
    LOSSES,
    ORIGINAL_TUNED,
)
from study_grid.cell import TRAIN
from study_grid.grid import ABLATION_FAMILY, ABLATION_SET, ATTRIBUTE_SET
from study_grid.page.draw_dots import Panel, draw_dots
from study_grid.page.estimate import CONFIDENCE, differences, estimate
from study_grid.page.library_defaults import library_defaults
from study_grid.page.max_poolings import max_poolings
from study_grid.page.section import Section, picture
from study_grid.page.table import table, with_change
from study_grid.sets import SETS
from study_grid.train_cell import QUALITY
from study_grid.validity import METRICS

TITLE = "What does each part do?"
BASE = LAP_MASKS_TUNED
CHANGED = (*ABLATIONS[1:], *LOSSES)
FUSION = inspect.signature(keras_lap.explain).parameters["combine"].default
# Titles, metrics, and whether they are of LAP maps.
MEASURES = (
    ("accuracy on `test`", f"{QUALITY} on test", False),
    ("on `test_shifted`", f"{QUALITY} on test_shifted", False),
    ("pointing game", "pointing_game", True),
    ("energy in the mask", "energy_in_mask", True),
)


def section(results, sizes):
    """The `Section` of the question, from the `Results` of its cells."""
    found = results.where(kind=TRAIN, set=ABLATION_SET, family=ABLATION_FAMILY)
    options = library_defaults()
    epochs = sizes.epochs_of(BASE, SETS[ABLATION_SET])
    rows, compared, apart = [_row(found, BASE, "the base")], 0, 0
    for arm in CHANGED:
        changes = _changes(found, arm)
        signs = [each.sign for each in changes if each and each.half_width is not None]
        compared, apart = compared + len(signs), apart + sum(map(abs, signs))
        rows.append(_row(found, arm, _says(arm, changes, options, epochs)))
    header = ["", *(title for title, *_ in MEASURES), "more than noise?"]
    return Section(
        blocks=[
            f"{ABLATION_FAMILY} on `{ABLATION_SET}`. The base is *{BASE.name}*, with "
            f"{_listed(with_score_gain(_settings(BASE, options, epochs)))}; "
            "`concepts` is that of `study_grid.arms.Arm`, and `anneal` the epoch at "
            f"which gates are open, of {epochs}. Each row changes one thing; but "
            "where scores learn from the task, `score_gain` is 1 too, as by `convert`. "
            "In brackets, the difference to the base, of networks of the same seed. It "
            "is more than noise where its interval excludes 0, and in bold then.",
            table(header, rows),
            _chance(apart, compared),
            "An option *supports* a default of the library where the other "
            "choice is worse by some measure and better by none, and *contradicts* it "
            "where it is the other way round.",
            picture("ablations", "Differences to the base, per part that is changed"),
            "How maps of several layers become one, for the base; in brackets, the "
            f"difference to `{FUSION}`, the default of `keras_lap.explain`:",
            table(["", *(metric.__name__ for metric in METRICS)], _fusions(found)),
            *max_poolings(results),
            f"Attributes instead of places, on `{ATTRIBUTE_SET}`; in brackets, the "
            f"difference to *{BASE.name}*. They are told different things, and their "
            "maps are of different concepts:",
            table(
                [
                    "",
                    "told",
                    "map",
                    "accuracy on `test`",
                    "pointing game",
                    "energy in the mask",
                ],
                _attributes(results),
            ),
        ],
        figures={"ablations": _draw(found)},
    )


def _values(found, arm, metric, of_maps, fusion=FUSION):
    explainer = f"LAP ({fusion})" if of_maps else ""
    chosen = found.where(arm=arm.name, metric=metric, explainer=explainer)
    return chosen.by("seed")


def _difference(found, arm, metric, of_maps):
    first, second = (_values(found, each, metric, of_maps) for each in (arm, BASE))
    return differences(first, second)


def _changes(found, arm):
    return [
        estimate(_difference(found, arm, metric, of_maps))
        for _, metric, of_maps in MEASURES
    ]


def _chance(apart, compared):
    if not compared:
        return "One run: no interval, so that no difference is told from noise."
    return (
        f"{apart} of {compared} intervals exclude 0; with nothing to find, "
        f"{100 * (1 - CONFIDENCE):g} % of them, {(1 - CONFIDENCE) * compared:.0f}, "
        "would."
    )


def _row(found, arm, says):
    name = arm.name.removeprefix("ablation: ")
    return [name, *_cells(found, arm, MEASURES), says]


def _cells(found, arm, measures):
    """Values of an arm, and in brackets the differences to the base."""
    for _, metric, of_maps in measures:
        value = estimate(_values(found, arm, metric, of_maps))
        change = None
        if arm is not BASE:
            change = estimate(_difference(found, arm, metric, of_maps))
        yield with_change(value, change)


def _settings(arm, options, epochs):
    """Options of an arm for which the library has a default."""
    own = {"concepts": arm.concepts, "anneal": round(arm.anneal * epochs, 2)}
    return {**options, **(arm.lap or {}), **own}


def _says(arm, changes, options, epochs):
    """What the differences say of the defaults of the library."""
    known = [change for change in changes if change is not None]
    if not known:
        return "not computed yet"
    if all(change.half_width is None for change in known):
        return "one run: no interval"
    signs = {change.sign for change in known} - {0}
    if not signs:
        return "no difference found"
    if len(signs) == 2:
        return "better and worse"
    is_better = signs == {1}
    result = "better" if is_better else "worse"
    base, changed = (_settings(each, options, epochs) for each in (BASE, arm))
    names = [name for name in options if base[name] != changed[name]]
    for settings, is_preferred in ((changed, is_better), (base, not is_better)):
        kept = {
            name: options[name] for name in names if settings[name] == options[name]
        }
        if kept and len(kept) == len(names):
            opinion = "supports" if is_preferred else "contradicts"
            return f"{result}: {opinion} {_listed(kept)}"
    return f"{result}; neither is a default"


def _listed(settings):
    return ", ".join(f"`{name}`: {value}" for name, value in settings.items())


def _fusions(found):
    for fusion in keras_lap.explanation.COMBINATIONS:
        cells = []
        for metric in METRICS:
            values, default = (
                _values(found, BASE, metric.__name__, True, each)
                for each in (fusion, FUSION)
            )
            change = None
            if fusion != FUSION:
                change = estimate(differences(values, default))
            cells.append(with_change(estimate(values), change))
        yield [f"`{fusion}`", *cells]


def _attributes(results):
    found = results.where(kind=TRAIN, set=ATTRIBUTE_SET, family=ABLATION_FAMILY)
    measures = (MEASURES[0], *MEASURES[2:])
    for arm in (ORIGINAL_TUNED, BASE, *ATTRIBUTES):
        told = f" and {arm.told} of {100 * arm.share:g} %" if arm.told else ""
        yield [
            arm.name,
            f"labels{told}",
            _map_of(arm),
            *_cells(found, arm, measures),
        ]


def _map_of(arm):
    if arm.lap is None:
        return None
    if arm.is_tied:
        return "of the class"
    return f"the highest of {SETS[ATTRIBUTE_SET].attributes} attributes"


def _draw(found):
    panels = [
        Panel(
            title.replace("`", ""),
            "difference to the base",
            {
                BASE.name: {
                    arm.name.removeprefix("ablation: "): _difference(
                        found, arm, metric, of_maps
                    )
                    for arm in CHANGED
                }
            },
            lines=(0,),
        )
        for title, metric, of_maps in MEASURES
    ]
    return draw_dots([panels], [arm.name.removeprefix("ablation: ") for arm in CHANGED])
