"""What the questions of validity and faithfulness have in common."""

from study_grid.cell import EXPLAIN
from study_grid.explain_cell import ORIGINAL_MODEL, SAME_MODEL
from study_grid.page.draw_dots import Panel, draw_dots
from study_grid.page.estimate import estimate
from study_grid.page.section import Section, picture
from study_grid.page.standing import BASELINES, LAP, standing
from study_grid.page.table import table, text
from study_grid.page.verdict import MISSED, OPEN, overall
from study_grid.sizes import EXPLAINERS

MODELS = (SAME_MODEL, ORIGINAL_MODEL)
IMAGES = "explained images"


def compare(results, metrics, judged_models, name, aim, introduction):
    """The `Section` that compares LAP with other explainers.

    Args:
        results: `Results` of the cells of the question.
        metrics: The `Metric`s.
        judged_models: Out of `MODELS`, those whose explanations LAP is judged by.
        name: Name of the figure.
        aim: What was hoped for.
        introduction: Paragraph that says what the metrics are.
    """
    found = results.where(kind=EXPLAIN)
    sets = [each for each in found.distinct("set") if _has(found, each, metrics)]
    compared = {
        (each, metric, model): standing(
            metric,
            measured(found, each, metric, SAME_MODEL).get(LAP, {}),
            measured(found, each, metric, model),
        )
        for each in sets
        for metric in metrics
        for model in judged_models
    }
    compared = {key: each for key, each in compared.items() if each is not None}
    verdicts = [
        each.verdict for (_, metric, _), each in compared.items() if metric.is_judged
    ]
    tables = [
        block
        for each in sets
        for model in MODELS
        for block in _table(found, each, metrics, model)
    ]
    return Section(
        blocks=[
            introduction,
            _images(found),
            _standings(compared),
            *_remarks(compared),
            picture(name, "Explainers compared, per metric and set"),
            *tables,
        ],
        figures={name: _draw(found, sets, metrics)},
        aim=aim,
        verdict=overall(verdicts),
    )


def measured(found, set_name, metric, model):
    """Dict from explainers to dicts from families and seeds to numbers."""
    rows = found.where(set=set_name, metric=f"{metric.name} on {model}")
    return {
        explainer: rows.where(explainer=explainer).by("family", "seed")
        for explainer in _ordered(rows.distinct("explainer"))
    }


def _ordered(names):
    known = [name for name in EXPLAINERS if name in names]
    return [*known, *(name for name in names if name not in known)]


def _has(found, set_name, metrics):
    return any(measured(found, set_name, metric, SAME_MODEL) for metric in metrics)


def _images(found):
    counts = found.where(metric=IMAGES).by("set", "family", "seed")
    least, most = min(counts.values()), max(counts.values())
    number = f"{most:g}" if least == most else f"{least:g} to {most:g}"
    nothing = [", ".join(map(str, key)) for key, count in counts.items() if not count]
    lost = (
        " Without any image that both answer rightly, nothing was measured of "
        f"{'; '.join(nothing)}."
        if nothing
        else ""
    )
    return (
        f"Each pair of networks explains {number} test images, the first that both "
        "answer rightly, for that answer. The pair is fine-tuned from one network, "
        "without LAP (*original network*) and with LAP and masks (*LAP network*)."
        f"{lost}"
    )


def _standings(compared):
    rows = [
        [
            f"`{name}`",
            metric.title,
            model,
            text(each.lap),
            f"{each.rival} {text(each.rival_value)}",
            text(each.lead, signed=True),
            each.text,
        ]
        for (name, metric, model), each in compared.items()
    ]
    header = ["set", "metric", "others explain the", "LAP", "best other"]
    return table([*header, "lead of LAP", "result"], rows)


def _remarks(compared):
    judged = {key: each for key, each in compared.items() if key[1].is_judged}
    missed = {key: each for key, each in judged.items() if each.verdict == MISSED}
    noisy = [key for key, each in judged.items() if each.verdict == OPEN]
    near = [
        key
        for key, each in judged.items()
        if each.verdict != MISSED and each.lap.overlaps(each.rival_value)
    ]
    beaten = {key: each.baselines for key, each in compared.items() if each.baselines}
    yield (
        f"Of {len(judged)} comparisons LAP is first in {len(judged) - len(missed)}. "
        "The lead is that over the best other explainer on the same images, positive "
        "where LAP is better; within noise, its interval reaches 0. "
        f"{', '.join(BASELINES)} are baselines, which have not seen the network, and "
        "not counted."
    )
    yield "\n".join(
        f"- {title}: {'; '.join(cases) or 'nowhere'}."
        for title, cases in (
            ("First within noise", [_case(key) for key in noisy]),
            (
                "First, but the intervals of the two means overlap",
                [_case(key) for key in near],
            ),
            (
                "Not first",
                [f"{_case(key)} ({each.rival})" for key, each in missed.items()],
            ),
            (
                "Behind a baseline",
                [f"{_case(key)} ({', '.join(names)})" for key, names in beaten.items()],
            ),
        )
    )


def _case(key):
    name, metric, model = key
    return f"`{name}`, `{metric.name}`, {model}"


def _table(found, set_name, metrics, model):
    columns = {metric: measured(found, set_name, metric, model) for metric in metrics}
    columns = {metric: values for metric, values in columns.items() if values}
    if not columns:
        return
    best = {
        metric: metric.best(
            {name: each for name, each in values.items() if name not in BASELINES}
            or values
        )
        for metric, values in columns.items()
    }
    names = _ordered({name for values in columns.values() for name in values})
    rows = [
        [
            f"{name} (baseline)" if name in BASELINES else name,
            *(
                text(estimate(values.get(name, {})), bold=best[metric] == name)
                for metric, values in columns.items()
            ),
        ]
        for name in names
    ]
    yield f"`{set_name}`, explanations of the {model}:"
    yield table(["", *(metric.title for metric in columns)], rows)


def _draw(found, sets, metrics):
    def panel(name, metric):
        series = {model: measured(found, name, metric, model) for model in MODELS}
        return Panel(f"{name}\n{metric.name}", _direction(metric), series)

    names = _ordered(found.distinct("explainer"))
    return draw_dots(
        [[panel(name, metric) for name in sets] for metric in metrics],
        [name for name in names if name],
    )


def _direction(metric):
    return "higher is better" if metric.is_higher_better else "lower is better"
