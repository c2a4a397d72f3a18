"""The page of the study says what its rows say, met or missed."""

import csv
import dataclasses
import importlib
import math

import numpy as np
import pytest

pytestmark = pytest.mark.torch_suffices

EXPLAINERS = ("LAP", "GradCAM", "RISE", "Random")
# Quantile of Student's t for two runs, tan(0.475 pi), and a seed's share in all values.
T_OF_TWO, SPREAD = 12.706204736174694, 0.002
FACTS = {
    "seconds": 36.0,
    "date": "2026-01-02",
    "processor": "abacus",
    "keras": "3.15.1",
    "backend": "torch 2.13.0",
}


@pytest.fixture(scope="module")
def study():
    """Imports a module of the study."""
    return lambda name: importlib.import_module(f"study_grid.{name}")


@pytest.fixture(scope="module")
def core(study):
    """The core grid with two seeds, without costs, of attributes with one."""
    sizes = study("sizes").CORE
    found = study("grid").cells("ABCDE", sizes.sets, sizes.families, (0, 1))
    return [
        cell
        for cell in found
        if not (cell.arm.startswith("LAP + attributes") and cell.seed)
    ]


# What test_shifted loses or wins by an ablation.
ABLATIONS = {
    "ablation: no score gating": -0.1,
    "ablation: soft scores": -0.1,
    "ablation: class concepts everywhere": 0.1,
    "ablation: alpha 8": -0.1,
    "ablation: head only": -0.1,
    "ablation: scores learn from the task": -0.1,
}


def trained(cell):
    """LAP wins a point on `test`, and what is told wins nearly all under shift."""
    has_lap = "LAP" in cell.arm or "ablation" in cell.arm
    yield cell.row(metric="quality on test", value=0.8 + 0.01 * has_lap)
    yield cell.row(metric="quality on validation", value=0.3)
    if cell.set == "decoy":
        told = any(way in cell.arm for way in ("masks", "ablation"))
        shifted = (0.76 if told else 0.1) + ABLATIONS.get(cell.arm, 0)
        yield cell.row(metric="quality on test_shifted", value=shifted)
    if has_lap:
        for fusion, value in (("flow", 0.7), ("mean", 0.6)):
            for metric in ("pointing_game", "energy_in_mask"):
                yield cell.row(f"LAP ({fusion})", metric, value)


def explained(cell, lap=0.9):
    """All explainers reach 0.5 and LAP something else, of 1 that are best."""
    yield cell.row(metric="explained images", value=7)
    higher = ("pointing_game", "energy_in_mask", "iou_at_equal_area", "insertion")
    lower = ("deletion", "road", "parameter_randomisation")
    for model in ("LAP network", "original network"):
        for explainer in EXPLAINERS[model != "LAP network" :]:
            good = lap if explainer == "LAP" else 0.5
            for metric in (*higher, "mu_fidelity"):
                yield cell.row(explainer, f"{metric} on {model}", good)
            for metric in lower:
                yield cell.row(explainer, f"{metric} on {model}", 1 - good)


def rows_of(cell, **options):
    compute = {"train": trained, "explain": explained}[cell.kind]
    for row in compute(cell, **options):
        # All runs of a seed differ from those of the other by as much, counts do not.
        is_count = row["metric"] == "explained images"
        spread = 0 if is_count else SPREAD * cell.seed
        yield {**row, "value": row["value"] + spread}


def results_of(study, cells, **options):
    rows = (row for cell in cells for row in rows_of(cell, **options))
    return study("page.results").Results(rows)


@pytest.fixture(scope="module")
def workshop(study, core, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    made = study("workshop").Workshop(folder, study("sizes").CORE)
    for cell in core:
        made.save_results(cell, rows_of(cell), FACTS)
    made.arrays_path("decoy").parent.mkdir()
    np.savez(made.arrays_path("decoy"), **{"train/label": np.arange(23)})
    return made


@pytest.fixture(scope="module")
def docs(study, workshop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study("page.write_page"), "DPI", 20)
        page = study("page").write_page(workshop, folder)
    assert page == folder / "study.md"
    return folder


@pytest.fixture(scope="module")
def page(docs):
    return (docs / "study.md").read_text()


def lines_of(page, start):
    return [line for line in page.splitlines() if line.startswith(start)]


def test_verdicts_stand_on_top(page):
    results = {
        line[2]: line.split("|")[3].strip()
        for letter in "ABCDEF"
        for line in lines_of(page, f"| {letter}. ")
    }
    assert results == {
        **dict.fromkeys("ABCD", "**met**"),
        "E": "no aim; see below",
        "F": "not computed yet",
    }


def test_what_is_not_computed_is_named(study, page, core):
    costs = len(study("sizes").CORE.families)
    assert f"{len(core)} of {len(core) + 2 + costs} cells of the grid are done" in page
    _, ablations, cost = page.rsplit("\n## ", 2)
    assert "Not computed yet:\n\n- `beetles`, MobileNetV2, seed 1\n" in ablations
    assert "`python examples/study.py --questions F` computes it" in cost
    assert page.count("Not computed yet") == 2


def test_head_tells_what_was_run(study, page, core):
    assert f"{len(core) / 100:.1f} hours of work, 2026-01-02." in page
    assert f"abacus ({len(core)})" in page
    sizes, arms = study("sizes").CORE, study("arms")
    scratch, tuned = (
        sizes.epochs_of(arm, study("sets").SETS["decoy"])
        for arm in (arms.ORIGINAL, arms.ORIGINAL_TUNED)
    )
    assert f"| `decoy` | 10 | 23 | - | - | {scratch} | {tuned} |" in page
    training = study("training")
    assert f"learning rate that rises to {training.LEARNING_RATE:g} and" in page
    weights = study("weights").WEIGHTS
    assert f"RRR {weights['RRR']:g}, GAIN {weights['GAIN']:g}." in page
    assert f"That share is at least {training.LEAST_TOLD:g}:" in page
    assert "`detach_scores`: True, `score_gain`: 10.0" in page
    assert "one setting that is named here" in page
    assert "B and C rest on 7 images per run" in page
    assert page.count("All of this rests on 7 test images per run") == 2
    assert "Here is one seed" not in page


def test_figures_are_those_of_the_rows(page):
    assert "| `decoy` | ResNet50V2 | 0.801 ± 0.013 | 0.811 ± 0.013 |" in page
    # Where `test` holds a shortcut, the split without it is judged.
    assert len(lines_of(page, "| `clutter` | +1.0 ± 0.0: met | +1.0 ± 0.0: met |")) == 1
    assert len(lines_of(page, "| `decoy` | +1.0 ± 0.0 | +1.0 ± 0.0 | +1.0 ±")) == 1
    judged = "| `decoy`, `test_shifted` | +0.0 ± 0.0: met | +66.0 ± 0.0: met |"
    assert len(lines_of(page, judged)) == 1
    assert "In `decoy` the split `test` holds the shortcut" in page
    # The share is that of each seed, of which there are twice as many: 0.76 / 0.8.
    (told,) = lines_of(page, "| LAP + masks, 5 % |")
    assert "| 5 % | 4 | 0.813 ± 0.004 | 0.763 ± 0.004 | 0.950 ± 0.000 | 0.703" in told
    assert "| `mean` | 0.601 (**-0.100 ± 0.000**)" in page


def test_pictures_are_drawn_and_shown(docs, page):
    drawn = sorted(path.stem for path in docs.glob("study/*.png"))
    assert drawn == ["ablations", "accuracy", "faithfulness", "knowledge", "validity"]
    assert all(f"](study/{name}.png)" in page for name in drawn)


@pytest.mark.parametrize(
    "arm, says",
    [
        ("no score gating", "worse: supports `gating`: score"),
        ("soft scores", "worse: contradicts `score_activation`: sigmoid"),
        ("class concepts everywhere", "better: supports `concepts`: everywhere"),
        ("alpha 8", "worse: supports `alpha`: 2.0"),
        ("head only", "worse; neither is a default"),
        (
            "scores learn from the task",
            "worse: contradicts `detach_scores`: False",
        ),
        ("softmax weighting", "no difference found"),
    ],
)
def test_ablations_are_held_against_defaults(page, arm, says):
    (line,) = lines_of(page, f"| {arm} |")
    assert line.endswith(f"| {says} |")
    assert ("**" in line) == (says != "no difference found")


def test_attributes_say_what_they_were_told(page):
    mask, attributes = (
        lines_of(page, f"| LAP + {told}, tuned | labels and {told} of 20 % |")
        for told in ("masks", "attributes")
    )
    assert [line.split("|")[3].strip() for line in (*mask, *attributes)] == [
        "of the class",
        "the highest of 5 attributes",
    ]
    # Of the only seed that the two share.
    assert "| 0.810 (+0.000 (n = 1)) | 0.700 (+0.000 (n = 1)) |" in attributes[0]


def test_gates_are_told_in_epochs_as_the_default_is(study, page):
    base = study("arms").LAP_MASKS_TUNED
    epochs = study("sizes").CORE.epochs_of(base, study("sets").SETS["decoy"])
    assert 0 < base.anneal < 1 < epochs
    assert f"`anneal`: {round(base.anneal * epochs, 2)}; `concepts` is" in page


def test_reference_is_no_ceiling(page):
    knowledge = page[page.index("\n## D.") : page.index("\n## E.")]
    assert "reference without the shortcut is *original, tuned* on" in knowledge
    assert "with a ratio above 1" in knowledge
    assert "ceiling" not in page


def test_winner_is_named_where_lap_is_not_first(study, core):
    cells = [cell for cell in core if cell.kind == "explain" and cell.set == "decoy"]
    results = results_of(study, cells, lap=0.4)
    section = study("page.validity").section(results, study("sizes").CORE)
    assert section.verdict == "missed"
    text = "\n".join(section.blocks)
    assert "LAP is first in 0 of the 6 comparisons" in text
    place = "**GradCAM**; behind Random"
    assert f"| `decoy` | LAP network | {place} | {place} | {place} |" in text


def test_single_runs_leave_aims_open(study, core):
    one = ("decoy", "ResNet50V2", 0)
    cells = [cell for cell in core if (cell.set, cell.family, cell.seed) == one]
    results = results_of(study, cells)
    for name in ("validity", "faithfulness", "accuracy"):
        section = study(f"page.{name}").section(results, study("sizes").CORE)
        text = "\n".join(section.blocks)
        assert section.verdict == "open"
        assert "±" not in text
        assert ("first, no interval" in text) == (name != "accuracy")


@pytest.mark.parametrize("name", ["validity", "faithfulness"])
@pytest.mark.parametrize("sets", [("decoy",), ("clutter", "decoy")])
def test_pairs_without_a_right_answer_leave_an_aim_open(study, core, name, sets):
    cells = [
        cell
        for cell in core
        if (cell.kind, cell.family) == ("explain", "ResNet50V2") and cell.set in sets
    ]
    rows = (
        row
        for cell in cells
        for row in (
            [cell.row(metric="explained images", value=0)]
            if cell.set == "decoy"
            else rows_of(cell)
        )
    )
    results = study("page.results").Results(rows)
    section = study(f"page.{name}").section(results, study("sizes").CORE)
    text = "\n".join(section.blocks)
    assert "nothing was measured of decoy, ResNet50V2, 0; decoy, ResNet50V2, 1" in text
    assert (section.verdict == "open") == (len(sets) == 1)
    assert len(section.figures) == text.count(".png") == len(sets) - 1


@pytest.mark.parametrize(
    "leads, text, is_first",
    [
        ((0.2, 0.2), "first", True),
        ((0.1, 0.3), "first, within noise", True),
        ((0.0, 0.0), "tied with GradCAM", False),
        ((0.1, -0.1), "tied with GradCAM", False),
        ((-0.1, -0.3), "GradCAM, within noise", False),
        ((-0.2, -0.2), "**GradCAM**", False),
        ((0.2,), "first, no interval", True),
        ((-0.2,), "GradCAM, no interval", False),
    ],
)
def test_place_of_lap(study, leads, text, is_first):
    module = study("page.standing")
    maps = {("F", seed): lead for seed, lead in enumerate(leads)}
    rivals = {"GradCAM": dict.fromkeys(maps, 0.0), "LAP": maps}
    found = module.standing(module.Metric("m", True), maps, rivals)
    assert (found.text, found.is_first) == (text, is_first)


def test_cost_is_told_in_predictions(study):
    cell = study("cell").Cell("cost", "clutter", "ResNet50V2", 0, "LAP + masks, tuned")
    rows = [
        cell.row("prediction, LAP", "ms per image", 2.0),
        cell.row("LAP", "ms per image", 3.0),
        cell.row("LAP", "peak MiB per image", 0.25),
        *(
            cell.row("training, LAP", f"time / original, {quartile} %", quartile / 25)
            for quartile in (25, 50, 75)
        ),
    ]
    results = study("page.results").Results(rows)
    section = study("page.cost").section(results, study("sizes").CORE)
    text = "\n".join(section.blocks)
    assert "| LAP | 3.00 (1.5) | 0.25 |" in text
    assert "on one thread" in text
    assert "| training, LAP | - | 2.00 [1.00, 3.00] | - |" in text
    assert section.verdict is None


def test_intervals_are_students(study):
    estimate = study("page.estimate").estimate
    # 4.3026... is the quantile for three runs.
    three = estimate({(0,): 1.0, (1,): 2.0, (2,): 3.0})
    assert (three.mean, three.count) == (2.0, 3)
    assert three.half_width == pytest.approx(4.302652729749464 / math.sqrt(3))
    two = estimate({("F", 0): 0.0, ("F", 1): 1.0})
    assert two.half_width == pytest.approx(T_OF_TWO / 2)
    assert two.text(1, signed=True) == "+0.5 ± 6.4"
    one = estimate({(7,): 0.25})
    assert (one.low, one.high, one.sign, one.text()) == (None, None, 0, "0.250 (n = 1)")
    assert estimate({}) is None


def test_families_count_and_not_their_seeds(study):
    estimate = study("page.estimate").estimate
    values = {
        (family, seed): mean + spread
        for family, mean in (("F", 1.0), ("G", 2.0), ("H", 3.0))
        for seed, spread in enumerate((-0.5, 0.5))
    }
    found = estimate(values)
    assert (found.mean, found.count) == (2.0, 3)
    assert found.half_width == pytest.approx(4.302652729749464 / math.sqrt(3))
    # A family with more seeds weighs no more.
    assert estimate({**values, ("H", 2): 3.0}) == found
    two = estimate({run: each for run, each in values.items() if run[0] != "H"})
    assert two.text() == "1.500 (n = 2)"


def test_differences_are_between_the_same_runs(study):
    first, second = {0: 3.0, 1: 5.0, 2: 9.0}, {1: 1.0, 2: 2.0, 3: 0.0}
    assert study("page.estimate").differences(first, second) == {1: 4.0, 2: 7.0}


@pytest.mark.parametrize(
    "values, verdict",
    [
        ((1.0, 1.0), "met"),
        ((0.9, 1.2), "open"),
        ((0.0, 0.0), "open"),
        ((1.0,), "open"),
        ((), "open"),
        ((-0.1, 0.0), "open"),
        ((-0.1,), "open"),
        ((-0.1, -0.1), "missed"),
    ],
)
def test_an_aim_is_met_with_all_of_the_interval(study, values, verdict):
    runs = {(seed,): value for seed, value in enumerate(values)}
    estimate = study("page.estimate").estimate(runs)
    assert study("page.verdict").judge(estimate, 0.0) == verdict


@pytest.mark.parametrize(
    "parts, verdict",
    [
        (("met", "met"), "met"),
        (("met", "open"), "open"),
        (("open", "missed", "met"), "missed"),
        ((), "open"),
    ],
)
def test_an_aim_of_several_parts(study, parts, verdict):
    assert study("page.verdict").overall(parts) == verdict


def test_missing_cells_are_told_in_few_words(study):
    cell = study("cell").Cell
    wanted = [
        cell("train", name, family, seed, arm)
        for name in ("a", "b")
        for family in ("F", "G")
        for seed in (0, 1)
        for arm in ("x", "y")
    ]
    lost = [
        each
        for each in wanted
        if each.set == "b"
        or (each.family, each.seed) == ("F", 1)
        or (each.family, each.seed, each.arm) == ("G", 0, "y")
    ]
    described = study("page.missing").describe(lost, wanted)
    assert described == ["`a`, F, seed 1", "`a`, G, seed 0: *y*", "`b`"]


def test_what_could_not_be_measured_is_left_out(study):
    cell = study("cell").Cell("train", "a", "F", 0, "x")
    rows = [cell.row("e", "m", "nan"), cell.row("e", "n", "0.5")]
    results = study("page.results").Results(rows)
    assert results.by("metric", "seed") == {("n", 0): 0.5}
    assert len(results.where(metric="m")) == 0


def test_rows_can_be_adopted(study, core, docs, tmp_path):
    workshop = study("workshop").Workshop(tmp_path, study("sizes").CORE)
    own = core[0]
    workshop.save_results(own, [own.row("own", "m", 1)], FACTS)
    assert set(study("page").adopt(workshop, docs)) == {*core} - {own}
    with workshop.results_path(own).open() as file:
        assert [row["explainer"] for row in csv.DictReader(file)] == ["own"]

    # Those of arms that are others now are not.
    changed = core[1]
    arm = study("arms").ARMS[changed.arm]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(
            study("arms").ARMS, changed.arm, dataclasses.replace(arm, share=0.123)
        )
        elsewhere = study("workshop").Workshop(tmp_path / "b", study("sizes").CORE)
        adopted = study("page").adopt(elsewhere, docs)
    assert {cell.arm for cell in set(core) - set(adopted)} == {changed.arm}

    records = study("page.records")
    workshop.save_results(own, rows_of(own), FACTS)
    records.write_results(workshop, tmp_path)
    records.write_runs(workshop, tmp_path)
    for name in ("results.csv", "runs.csv"):
        assert (tmp_path / name).read_bytes() == (docs / "study" / name).read_bytes()


def test_sets_are_counted_where_their_arrays_are(study, workshop, tmp_path):
    records = study("page.records")
    records.write_sets(workshop, ["decoy", "clutter"], tmp_path)
    elsewhere = study("workshop").Workshop(tmp_path / "none", None)
    records.write_sets(elsewhere, ["decoy", "clutter"], tmp_path)
    assert records.read(tmp_path / "sets.csv") == [
        {"set": "decoy", "split": "train", "images": "23"}
    ]


def test_nothing_to_adopt_is_told(study, tmp_path):
    workshop = study("workshop").Workshop(tmp_path, None)
    with pytest.raises(FileNotFoundError, match=r"results\.csv.*Name the folder"):
        study("page").adopt(workshop, tmp_path)


def test_runs_that_are_lost_are_told(study, core, tmp_path):
    records, cell = study("page.records"), study("cell")
    folder = tmp_path / "study"
    records.write(folder / "results.csv", cell.FIELDS, rows_of(core[0]))
    records.write(folder / "runs.csv", records.RUN_FIELDS, [])
    workshop = study("workshop").Workshop(tmp_path, None)
    with pytest.raises(ValueError, match=f"none for {core[0].name}. Take both files"):
        study("page").adopt(workshop, tmp_path)
    assert not workshop.is_done(core[0])


def test_one_seed_is_told(study, core):
    cells = [cell for cell in core if cell.seed == 0]
    results, sizes = results_of(study, cells), study("sizes").CORE
    asked = {"sets": sizes.sets, "families": sizes.families, "seeds": [0]}
    head = study("page.head").head({}, results, asked, [], [], sizes)
    assert "Here is one seed" in "\n".join(head)
    ablations = study("page.ablations").section(results, sizes)
    text = "\n".join(ablations.blocks)
    assert "One run: no interval, so that no difference" in text
    assert "| one run: no interval |" in text
    knowledge = study("page.knowledge").section(results, sizes)
    assert "One run: no interval." in "\n".join(knowledge.blocks)
    assert knowledge.verdict == "open"
