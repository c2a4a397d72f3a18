"""The report in a browser: Chromium without a window, driven by playwright."""

import io
import re
import shutil

import numpy as np
import pytest
from effort import THOROUGH
from matplotlib import colormaps
from PIL import Image
from report_example import (
    CLASSES,
    HISTORY,
    LABELS,
    PREDICTIONS,
    SIDE,
    comparison,
    explanation,
    squares,
)

import keras_lap

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
# What is thorough fails without them.
if not THOROUGH:
    pytest.importorskip("playwright", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no Chromium on the path", allow_module_level=True)
from playwright import sync_api as playwright  # noqa: E402

expect = playwright.expect
# Milliseconds; no test is meant to wait that long.
TIMEOUT = 30_000
expect.set_options(timeout=TIMEOUT)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """A report with all that one can have."""
    explained = explanation()
    single = squares().max(axis=-1, keepdims=True)
    others = {"class_names": CLASSES, "concept_names": ["any"], "class_concepts": None}
    return keras_lap.report(
        {
            "flow": explained,
            "block 1": explanation(
                squares()[..., ::-1], predictions=PREDICTIONS[:, ::-1]
            ),
            "Grad-CAM": explanation(single, **others),
        },
        tmp_path_factory.mktemp("report") / "report.html",
        comparison=comparison(),
        history=HISTORY,
        title="Cats & <dogs>",
    )


@pytest.fixture
def opened(browser):
    """Opens a report; afterwards nothing was asked for and nothing complained."""
    pages, complaints = [], []

    def opened(path, width=1200, height=800, scheme="light"):
        page = browser.new_page(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            # Nothing is on its way while the page is looked at.
            reduced_motion="reduce",
        )
        page.set_default_timeout(TIMEOUT)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on(
            "request",
            lambda request: (
                request.url.startswith("data:")
                or request.url == path.as_uri()
                or complaints.append(request.url)
            ),
        )
        page.goto(path.as_uri())
        page.wait_for_selector("html[data-ready]")
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.close()
    assert complaints == []


@pytest.fixture
def page(opened, path):
    page = opened(path)
    page.locator("#samples").evaluate("section => section.scrollIntoView()")
    return page


def order(page):
    """The samples that are shown, in their order."""
    labels = page.eval_on_selector_all(
        ".gallery button", "buttons => buttons.map(b => b.getAttribute('aria-label'))"
    )
    return [int(re.match(r"Sample (\d+)", label)[1]) for label in labels]


def controls(page):
    return page.get_by_role("form", name="What the gallery shows")


def choice(page, name):
    return controls(page).get_by_role("combobox", name=name, exact=True)


def heat(page, position=0):
    return page.locator(".gallery .heat").nth(position)


def test_names_are_shown_as_they_are(page):
    assert page.title() == page.get_by_role("heading", level=1).inner_text()
    assert page.title() == "Cats & <dogs>"
    concepts = choice(page, "Concept").locator("option")
    assert concepts.all_inner_texts()[-3:] == CLASSES
    first = page.locator(".gallery button").first
    assert first.get_attribute("aria-label") == (
        f"Sample 0, predicted {CLASSES[0]} with 80\u00a0%, label {CLASSES[0]}, right, "
        "disagreement with the mask 0.000"
    )


def test_figures(page):
    table = page.get_by_role("table", name="Same model")
    row = table.get_by_role("row").filter(has=page.get_by_text("pointing game"))
    assert "↑ higher is better" in row.get_by_role("rowheader").inner_text()
    cells = row.get_by_role("cell").all_text_contents()
    assert cells[0].startswith("0.900★, best0.800 to 1.00")
    assert cells[1].startswith("0.6000.500 to 0.700n = 6, 2 left out")
    assert cells[2].startswith("0.750≈, its difference to the best")
    row = table.get_by_role("row").filter(has=page.get_by_text("deletion"))
    assert "↓ lower is better" in row.get_by_role("rowheader").inner_text()
    cells = row.get_by_role("cell").all_text_contents()
    assert cells[0].startswith("0.200★, best") and cells[2] == "\u2013"
    row = table.get_by_role("row").filter(has=page.get_by_text("sparsity"))
    assert "★" not in row.inner_text()
    assert page.get_by_role("table", name="Two models").count() == 1
    page.get_by_text("One failure").click()
    page.get_by_text("Occlusion, maps: ValueError: <too> big").wait_for()


def test_wide_tables_and_long_captions(opened, path):
    page = opened(path)
    shade = page.locator("#figures .scroll").first
    assert shade.evaluate("e => getComputedStyle(e).backgroundImage").count("(") > 2
    page.locator(".gallery button .caption").first.evaluate(
        "caption => caption.append('a long caption that wraps '.repeat(5))"
    )
    heights = page.eval_on_selector_all(
        ".gallery button", "all => all.slice(0, 3).map(each => each.offsetHeight)"
    )
    assert len(set(heights)) == 1
    page.set_viewport_size({"width": 390, "height": 800})
    shade.evaluate("scroll => (scroll.scrollLeft = 200)")
    left = "e => e.getBoundingClientRect().left"
    first = shade.locator("tbody th").first.evaluate(left)
    assert shade.evaluate("e => e.scrollLeft") > 0
    assert abs(first - shade.evaluate(left)) <= 1


def test_curves(page):
    figure = page.locator("#curves figure").first
    drawing = figure.get_by_role("img")
    assert drawing.get_attribute("aria-label") == (
        "probability by share removed: LAP from 1.00 to 0.000; "
        "Grad-CAM from 1.00 to 0.000."
    )
    drawing.scroll_into_view_if_needed()
    box = drawing.bounding_box()
    axis = drawing.locator(".tick line").first
    ends = [float(axis.get_attribute(name)) for name in ("x1", "x2")]
    width = float(drawing.get_attribute("viewBox").split()[2])
    middle = box["x"] + box["width"] * sum(ends) / 2 / width
    page.mouse.move(middle, box["y"] + box["height"] / 2)
    expect(figure.locator(".reading")).to_have_text(["0.293", "0.500"])
    expect(figure.locator(".axis")).to_have_text("share removed 0.500")
    page.mouse.move(0, 0)
    expect(figure.locator(".reading")).to_have_text(["", ""])
    expect(figure.locator(".axis")).to_have_text("share removed")
    figure.get_by_text("Numbers").click()
    expect(figure.get_by_role("row")).to_have_count(6)
    rows = figure.get_by_role("row").all_inner_texts()
    assert [row.split() for row in rows[1:3]] == [
        ["0.000", "1.00", "1.00"],
        ["0.250", "0.500", "0.750"],
    ]
    # A loss that is not a number is a gap.
    loss = page.locator("#training figure").first
    assert loss.locator(".line").first.get_attribute("d").count("L") == 1


def test_long_names_of_lines_have_room_and_nothing_moves(opened, tmp_path):
    compared = comparison()
    names = ["IntegratedGradients, original", "Gradients" * 9]
    for curve, name in zip(compared.curves, names, strict=True):
        curve |= {"explainer": name, "y_name": "probability of what was predicted"}
    page = tmp_path / "report.html"
    keras_lap.report(explanation(), page, comparison=compared)
    page = opened(page, width=360)
    figure = page.locator("#curves figure").first
    drawing = figure.get_by_role("img")
    drawing.scroll_into_view_if_needed()
    before = figure.bounding_box(), drawing.bounding_box()
    drawing.hover()
    expect(figure.locator(".reading").first).not_to_be_empty()
    assert (figure.bounding_box(), drawing.bounding_box()) == before
    widths = figure.locator("li").evaluate_all(
        "all => all.map(e => [e.scrollWidth, e.clientWidth])"
    )
    assert len(widths) == 2
    assert all(content <= room for content, room in widths)


def test_the_runner_up_is_not_predicted(opened, tmp_path):
    labels = np.eye(3, dtype=int)[LABELS]
    # Rows of several labels: two, one and none of the classes are predicted.
    labels[0] = [1, 1, 0]
    predictions = np.tile([0.9, 0.8, 0.4], (8, 1))
    predictions[1], predictions[2] = [0.9, 0.3, 0.4], [0.1, 0.3, 0.4]
    path = tmp_path / "report.html"
    keras_lap.report(explanation(predictions=predictions, labels=labels), path)
    page = opened(path)
    choice(page, "Concept").select_option("of the runner-up")
    page.locator(".gallery button").first.click()
    for sample, told in enumerate(
        [
            "owl, 40\u00a0%, behind by 50\u00a0%",
            "owl, 40\u00a0%, behind by 50\u00a0%",
            "owl, 40\u00a0%",
        ]
    ):
        dialog = page.get_by_role("dialog", name=f"Sample {sample}")
        runner_up = dialog.locator("dt:has-text('Runner-up') + dd")
        expect(runner_up).to_have_text(told)
        expect(dialog.locator(".large .heat")).to_have_attribute("data-shows", "0 2")
        page.keyboard.press("ArrowRight")


def test_pick_layer_and_concept(page):
    form = controls(page)
    concept = choice(page, "Concept")
    expect(heat(page)).to_have_attribute("data-shows", "0 0")
    expect(heat(page, 3)).to_have_attribute("data-shows", "0 0")
    concept.select_option("of the prediction")
    expect(heat(page, 3)).to_have_attribute("data-shows", "0 1")
    concept.select_option("of the runner-up")
    expect(heat(page, 4)).to_have_attribute("data-shows", "0 0")
    concept.select_option("the strongest")
    expect(heat(page)).to_have_attribute("data-shows", "0 2")
    concept.select_option(CLASSES[1])
    expect(heat(page)).to_have_attribute("data-shows", "0 1")
    choice(page, "Layer or explainer").select_option("block 1")
    expect(heat(page)).to_have_attribute("data-shows", "1 1")
    choice(page, "Layer or explainer").select_option("Grad-CAM")
    expect(heat(page)).to_have_attribute("data-shows", "2 0")
    assert concept.locator("option").all_inner_texts() == ["any"]
    form.get_by_role("button", name="Reset").click()
    expect(heat(page)).to_have_attribute("data-shows", "0 0")


def test_colours_are_those_of_draw_maps(page):
    form = controls(page)
    form.get_by_label("Mask outline").uncheck()
    choice(page, "Concept").select_option(CLASSES[0])
    form.get_by_label("Opacity").fill("100")
    # The map of the label is 0.2 high at the upper left, and 0.6 at the lower right.
    seventh = page.locator(".gallery li").nth(6).locator(".picture")
    expect(heat(page, 6)).to_have_attribute("data-shows", "0 0")

    def colour(down, across):
        picture = Image.open(io.BytesIO(seventh.screenshot())).convert("RGB")
        at = round(picture.width * across), round(picture.height * down)
        return np.array(picture.getpixel(at))

    def expected(value):
        return np.array(colormaps["inferno"](value)[:3]) * 255

    assert abs(colour(0.25, 0.25) - expected(1 / 3)).max() < 6
    assert abs(colour(0.75, 0.75) - expected(1.0)).max() < 6
    assert abs(colour(0.25, 0.75) - expected(0.0)).max() < 6
    # The highest value of the layer is 0.8.
    choice(page, "Scale").select_option("alike")
    expect(heat(page, 6)).to_have_css("filter", re.compile(r"brightness\(0\.7"))
    assert abs(colour(0.75, 0.75) - expected(0.75)).max() < 6
    form.get_by_label("Opacity").fill("0")
    image = np.asarray(
        Image.open(io.BytesIO(seventh.screenshot())).convert("RGB").resize((8, 8))
    )
    shown = np.asarray(
        Image.fromarray(explanation().images[6]).resize((8, 8), Image.Resampling.BOX)
    )
    assert abs(image.astype(int) - shown).mean() < 12


def test_opacity_and_visibility(page):
    form = controls(page)
    opacity = form.get_by_label("Opacity")
    opacity.focus()
    page.keyboard.press("ArrowRight")
    expect(heat(page)).to_have_css("opacity", "0.55")
    form.get_by_role("checkbox", name="Map", exact=True).uncheck()
    expect(heat(page)).to_be_hidden()
    outline = page.locator(".gallery .outline").first
    expect(outline).to_be_visible()
    form.get_by_label("Mask outline").uncheck()
    expect(outline).to_be_hidden()


def test_sort(page):
    sort = choice(page, "Sort by")
    assert order(page) == [0, 1, 2, 3, 4, 5, 6, 7]
    sort.select_option("confidence, lowest first")
    assert order(page) == [7, 5, 2, 3, 1, 0, 4, 6]
    sort.select_option("confidence, highest first")
    assert order(page) == [6, 4, 0, 1, 3, 2, 5, 7]
    # Outside: 0, .2, .2, .6, .5, .3846, .75; the mask of the last one is empty.
    sort.select_option("disagreement with the mask, most first")
    assert order(page) == [6, 3, 4, 5, 1, 2, 0, 7]
    sort.select_option("disagreement with the mask, least first")
    assert order(page) == [0, 1, 2, 5, 4, 3, 6, 7]


def test_filter(page):
    form, count = controls(page), page.locator("#count")
    expect(count).to_have_text("8 of 8 samples")
    assert count.get_attribute("role") == "status"
    choice(page, "Prediction").select_option("wrong")
    assert order(page) == [3, 5]
    expect(count).to_have_text("2 of 8 samples")
    choice(page, "Label").select_option("owl")
    assert order(page) == [5]
    choice(page, "Predicted").select_option("owl")
    expect(count).to_have_text(re.compile("No sample fits"))
    form.get_by_role("button", name="Reset").click()
    assert order(page) == list(range(8))
    choice(page, "Prediction").select_option("right")
    choice(page, "Label").select_option(CLASSES[1])
    assert order(page) == [1, 4, 7]


def test_open_a_sample_by_keyboard(page):
    choice(page, "Prediction").select_option("right")
    controls(page).get_by_role("button", name="Reset").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Sample 1")
    expect(dialog.get_by_role("heading", level=2)).to_be_focused()
    assert page.locator("#position").inner_text() == "2 of 6 shown"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(dialog).to_be_hidden()
    expect(page.get_by_role("dialog", name="Sample 4")).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Sample 2")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    expect(page.locator(".gallery button").nth(2)).to_be_focused()
    page.keyboard.press("End")
    expect(page.locator(".gallery button").last).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("Shift+Tab")
    expect(controls(page).get_by_role("button", name="Reset")).to_be_focused()


def test_evidence_of_a_sample(page):
    page.locator(".gallery button").nth(3).click()
    dialog = page.get_by_role("dialog", name="Sample 3")
    assert dialog.locator("dl").inner_text().split("\n") == [
        "File",
        "<i>3</i>.png",
        "Label",
        CLASSES[0],
        "Prediction",
        f"{CLASSES[1]} ✗",
        "wrong",
        "Runner-up",
        f"{CLASSES[0]}, 30\u00a0%, behind by 35\u00a0%",
        "Disagreement with the mask",
        "0.600",
    ]
    likely = dialog.get_by_role("table", name="Likeliest classes").get_by_role("row")
    assert [row.split("\t")[-1] for row in likely.all_inner_texts()] == [
        "65\u00a0%",
        "30\u00a0%",
        "5\u00a0%",
    ]
    concepts = dialog.get_by_role("table", name="Concepts of flow")
    strongest = concepts.get_by_role("row").nth(1)
    assert re.split(r"[\t\n]+", strongest.inner_text()) == [
        "owl",
        "0.800",
        "0.800",
        "middle left",
        "25\u00a0%",
        "100\u00a0%",
    ]
    picture = dialog.locator(".large img").first
    assert picture.get_attribute("alt") == (
        f"Sample 3. Map of “{CLASSES[0]}” in “flow”: highest, 0.300, at the "
        "centre; at least half of that on 50\u00a0% of the image, 40\u00a0% of its "
        "energy in the mask."
    )
    strongest.get_by_role("button").press("Enter")
    expect(dialog.get_by_role("button", name="owl", exact=True)).to_be_focused()
    assert "Map of “owl”" in picture.get_attribute("alt")
    dialog.get_by_role("button", name="block 1").click()
    expect(dialog.get_by_role("combobox", name="Layer or explainer")).to_have_value("1")
    assert "Map of “owl” in “block 1”" in picture.get_attribute("alt")
    dialog.get_by_role("button", name="Grad-CAM").click()
    assert "Map of “any” in “Grad-CAM”" in picture.get_attribute("alt")
    dialog.get_by_role("button", name="Close").click()
    expect(choice(page, "Layer or explainer")).to_have_value("2")


def test_a_sample_stays_open_that_no_longer_fits(page):
    choice(page, "Prediction").select_option("right")
    page.locator(".gallery button").first.click()
    dialog = page.get_by_role("dialog", name="Sample 0")
    # The predictions of another model.
    dialog.get_by_role("button", name="block 1").click()
    expect(dialog.locator("dl")).to_contain_text("owl ✗")
    expect(page.locator("#position")).to_have_text("1 of 5 shown")
    dialog.get_by_role("button", name="Close").click()
    # A dialog tells that it is closed a little later.
    expect(page.locator("#count")).to_have_text("4 of 8 samples")
    assert order(page) == [1, 4, 5, 7]
    expect(page.locator(".gallery button").first).to_be_focused()


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A report of 120 samples of which nothing is known but the maps."""
    maps = np.tile(squares(), (15, 1, 1, 1))
    explained = keras_lap.Explanation(maps, np.zeros((120, SIDE, SIDE, 1)))
    return keras_lap.report(explained, tmp_path_factory.mktemp("bare") / "report.html")


def test_pictures_are_made_where_they_are_seen(opened, bare):
    page = opened(bare)
    filled = ".gallery .heat[data-shows]"
    page.locator(".gallery").scroll_into_view_if_needed()
    expect(heat(page)).to_have_attribute("data-shows", "0 2")
    assert 0 < page.locator(filled).count() < 80
    page.locator(".gallery button").first.focus()
    page.keyboard.press("End")
    expect(heat(page, 119)).to_have_attribute("data-shows", "0 2")
    expect(heat(page)).not_to_have_attribute("data-shows", re.compile(""))
    assert page.locator(filled).count() < 80
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Sample 119")).to_be_visible()


def test_the_toolbar_covers_no_focused_sample(opened, bare):
    page = opened(bare)
    page.locator(".gallery button").first.focus()
    page.keyboard.press("End")
    for _ in range(8):
        page.keyboard.press("ArrowUp")
    focused, toolbar = (
        page.locator(selector).bounding_box()
        for selector in (".gallery button:focus", ".toolbar")
    )
    assert toolbar["y"] == 0
    assert toolbar["height"] <= focused["y"] < 800


def test_what_is_not_known_is_not_offered(opened, bare):
    page = opened(bare)
    form = controls(page)
    for name in ("Prediction", "Label", "Predicted"):
        expect(choice(page, name)).to_have_count(0)
    expect(form.get_by_label("Mask outline")).to_have_count(0)
    assert choice(page, "Concept").locator("option").all_inner_texts() == [
        "the strongest",
        "concept 0",
        "concept 1",
        "concept 2",
    ]
    orders = choice(page, "Sort by").locator("option").all_inner_texts()
    assert orders == ["order given"]
    for part in ("Figures", "Curves", "Training"):
        expect(page.get_by_role("heading", name=part)).to_have_count(0)


def test_masks_without_labels_leave_no_disagreement(opened, tmp_path):
    page = opened(keras_lap.report(explanation(labels=None), tmp_path / "report.html"))
    expect(controls(page).get_by_label("Mask outline")).to_have_count(1)
    orders = choice(page, "Sort by").locator("option").all_inner_texts()
    assert [name.split(",")[0] for name in orders] == [
        "order given",
        "confidence",
        "confidence",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_and_the_scheme(opened, path, scheme):
    page = opened(path, width=390, scheme=scheme)
    page.locator(".gallery button").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    widths = "e => [e.scrollWidth, e.clientWidth]"
    for selector in ("html", ".sample"):
        content, room = page.eval_on_selector(selector, widths)
        assert content <= room
    ground = page.eval_on_selector("body", "e => getComputedStyle(e).backgroundColor")
    shade = sum(map(int, re.findall(r"\d+", ground)))
    assert shade > 700 if scheme == "light" else shade < 100


def test_names_of_controls(page):
    """Everything one can act on has a name, and no two of one kind share it."""
    page.locator(".gallery button").first.click()
    for region in (controls(page), page.locator("dialog")):
        tree = region.aria_snapshot()
        named = re.findall(r"- (combobox|slider|checkbox|button)(?: (\".*?\"))?", tree)
        assert len(named) > 5
        assert all(name for _, name in named)
