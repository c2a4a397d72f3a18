"""What the questions of validity and faithfulness have in common."""

from study_grid.cell import EXPLAIN
from study_grid.explain_cell import ORIGINAL_MODEL, SAME_MODEL
from study_grid.page.draw_dots import Panel, draw_dots
from study_grid.page.estimate import estimate
from study_grid.page.section import Section, folded, picture
from study_grid.page.standing import BASELINES, LAP, standing
from study_grid.page.table import table, text
from study_grid.page.verdict import MET, MISSED, OPEN, overall
from study_grid.sizes import EXPLAINERS

MODELS = (SAME_MODEL, ORIGINAL_MODEL)
IMAGES = "explained images"


def compare_explainers(results, metrics, judged_models, name, aim, introduction):
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
    blocks = [_images(found), introduction]
    sets = [each for each in found.distinct("set") if _has(found, each, metrics)]
    if not sets:
        return Section([*blocks, "Nothing was measured."], aim=aim, verdict=OPEN)
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
    return Section(
        blocks=[
            *blocks,
            _places(compared, metrics),
            _remark(compared),
            folded("How far LAP is ahead or behind", _leads(compared)),
            picture(name, "Explainers compared, per metric and set"),
            *(
                folded(f"All explainers on {each}", *_levels(found, each, metrics))
                for each in sets
            ),
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


def images_per_run(results):
    """How many images a pair of networks explains, as text, `None` without a pair."""
    counts = sorted(row["value"] for row in results.where(kind=EXPLAIN, metric=IMAGES))
    if not counts:
        return None
    least, most = counts[0], counts[-1]
    return f"{most:g}" if least == most else f"{least:g} to {most:g}"


def _images(found):
    counts = found.where(metric=IMAGES).by("set", "family", "seed")
    nothing = [", ".join(map(str, key)) for key, count in counts.items() if not count]
    lost = (
        " Without any image that both answer rightly, nothing was measured of "
        f"{'; '.join(nothing)}."
        if nothing
        else ""
    )
    return (
        f"All of this rests on {images_per_run(found)} test images per run: the first "
        "that a pair of networks both answer rightly, explained for that answer. The "
        "pair is fine-tuned from one network, without LAP (*original network*) and "
        f"with LAP and masks (*LAP network*).{lost}"
    )


def _places(compared, metrics):
    """Where LAP stands: a row per set and network, a column per metric."""
    rows = dict.fromkeys((name, model) for name, _, model in compared)
    found = [
        [f"`{name}`", model, *(compared.get((name, each, model)) for each in metrics)]
        for name, model in rows
    ]
    return table(
        ["set", "the others explain the", *(f"`{each.name}`" for each in metrics)],
        [[*row[:2], *(each and each.text for each in row[2:])] for row in found],
    )


def _remark(compared):
    judged = [each for (_, metric, _), each in compared.items() if metric.is_judged]
    first, tied = (
        sum(getattr(each, name) for each in judged) for name in ("is_first", "is_tied")
    )
    ahead, behind = (
        sum(each.verdict == verdict for each in judged) for verdict in (MET, MISSED)
    )
    return (
        f"LAP is first in {first} of the {len(judged)} comparisons that are judged, in "
        f"{ahead} of them by more than noise; in {tied} another has the same mean; in "
        f"{behind} another is first, by more than noise. Where LAP is not first, the "
        "name of who is stands in its place, in bold if by more than noise. *Within "
        "noise*: the interval of the difference, on the same images, reaches 0. *No "
        "interval*: there is a single run, or two families. *First, overlap*: the "
        "interval does not reach 0, but those of the two means overlap. The other is "
        "the best of all explainers on the same runs, "
        "chosen afterwards, which favours it. "
        f"{', '.join(BASELINES)} are baselines, which have not seen the network. They "
        "are not counted, but it is said where LAP is behind one."
    )


def _leads(compared):
    rows = [
        [
            f"`{name}`",
            f"`{metric.name}`",
            model,
            text(each.lap),
            f"{each.rival} {text(each.rival_value)}",
            text(each.lead, signed=True),
        ]
        for (name, metric, model), each in compared.items()
    ]
    header = ["set", "metric", "the others explain the", LAP, "best other"]
    return table([*header, "lead of LAP (positive is better)"], rows)


def _levels(found, set_name, metrics):
    for model in MODELS:
        yield from _table(found, set_name, metrics, model)


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
    yield f"Explanations of the {model}:"
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
