"""Question F: what does it cost?"""

from study_grid.cell import COST
from study_grid.cost_cell import LAP, MEMORY, ORIGINAL, RATIO, SECONDS, TAUGHT
from study_grid.page.draw_dots import Panel, draw_dots
from study_grid.page.section import Section, picture
from study_grid.page.table import table
from study_grid.sizes import EXPLAINERS

TITLE = "What does it cost?"
USES = (
    *(f"training, {name}" for name in (ORIGINAL, LAP, TAUGHT)),
    *(f"prediction, {name}" for name in (ORIGINAL, LAP)),
)
# The network that the explainers explain.
PREDICTION = f"prediction, {LAP}"
PARTS = ("ms per image", "MiB")


def section(results, sizes):
    """The `Section` of the question, from the `Results` of its cells."""
    found = results.where(kind=COST)
    keys = list(
        dict.fromkeys((row["set"], row["family"], row["seed"]) for row in found)
    )
    costs = {
        f"{name}, {family}": found.where(set=name, family=family, seed=seed).by(
            "explainer", "metric"
        )
        for name, family, seed in keys
    }
    names = [
        name
        for name in EXPLAINERS
        if any((name, SECONDS) in values for values in costs.values())
    ]
    times = {
        title: {name: _relative(values, name) for name in names}
        for title, values in costs.items()
    }
    return Section(
        blocks=[
            "Measured alone, with nothing beside it, on one thread. Medians over "
            f"{sizes.rounds} rounds in which all take turns; in brackets, "
            "quartiles of the ratios within rounds. Memory is the most that a call "
            "takes beside what was there before. One machine, small images and small "
            "networks: ratios carry over better than times do. *LAP + masks* adds a "
            "loss on masks to the training step.",
            table(
                ["", "", "ms per image", "ratio to the original", "MiB per image"],
                [
                    [title, use, *_use(values, use)]
                    for title, values in costs.items()
                    for use in USES
                ],
            ),
            "Explanations of the LAP network; in brackets, how many of its predictions "
            "take as long:",
            table(
                ["", *(f"{title}: {part}" for title in costs for part in PARTS)],
                [
                    [
                        name,
                        *(
                            cell
                            for title, values in costs.items()
                            for cell in _explanation(values, times[title][name], name)
                        ),
                    ]
                    for name in names
                ],
            ),
            picture("cost", "Time of an explanation, in predictions"),
        ],
        figures={"cost": _draw(times, names)},
    )


def _number(value, digits):
    return None if value is None else f"{value:.{digits}f}"


def _use(values, use):
    quartiles = [values.get((use, f"{RATIO}, {part} %")) for part in (25, 50, 75)]
    ratio = None
    if None not in quartiles:
        low, median, high = quartiles
        ratio = f"{median:.2f} [{low:.2f}, {high:.2f}]"
    milliseconds, memory = (values.get((use, metric)) for metric in (SECONDS, MEMORY))
    return _number(milliseconds, 2), ratio, _number(memory, 2)


def _relative(values, name):
    """Dict from the only run to the time as a multiple of that of a prediction."""
    time, prediction = (values.get((each, SECONDS)) for each in (name, PREDICTION))
    return {(0,): time / prediction} if time and prediction else {}


def _explanation(values, relative, name):
    time, memory = (values.get((name, metric)) for metric in (SECONDS, MEMORY))
    if time is not None and relative:
        return f"{time:.2f} ({relative[0,]:.1f})", _number(memory, 2)
    return _number(time, 2), _number(memory, 2)


def _draw(times, names):
    unit = "time of an explanation / time of a prediction (log scale)"
    panel = Panel("", unit, times, lines=(1,), is_log=True)
    return draw_dots([[panel]], names)
