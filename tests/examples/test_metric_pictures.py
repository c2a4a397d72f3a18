"""Every metric has a page and a picture, which can be drawn anew."""

import pathlib

import pytest
from effort import THOROUGH

from keras_lap import evaluation

ROOT = pathlib.Path(__file__).parents[2]
PAGES = ROOT / "docs" / "metrics"
# One of validity, one of faithfulness, and the one that is drawn twice.
SOME = ("pointing_game", "deletion", "sparsity")


@pytest.fixture
def script():
    import what_each_metric_measures

    return what_each_metric_measures


def test_pictures_are_drawn(script, tmp_path):
    chosen = [] if THOROUGH else ["--only", *SOME]
    script.main([f"--folder={tmp_path / 'new'}", "--dpi=20", *chosen])
    drawn = {path.stem for path in (tmp_path / "new").iterdir()}
    assert drawn == set(script.METRICS if THOROUGH else SOME)
    script.main([f"--folder={tmp_path}", "--dpi=20", "--only", "sparsity"])
    picture = (tmp_path / "sparsity.png").read_bytes()
    assert picture == (tmp_path / "new" / "sparsity.png").read_bytes()


def test_every_metric_has_a_page_with_its_picture(script):
    index = (PAGES / "README.md").read_text()
    for name in script.METRICS:
        assert callable(getattr(evaluation, name))
        assert f"({name}.md)" in index
        page = (PAGES / f"{name}.md").read_text()
        assert page.startswith(f"# `{name}`\n")
        assert f"]({name}.png)" in page
        assert (PAGES / f"{name}.png").stat().st_size < 150_000
