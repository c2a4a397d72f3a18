"""The README's code runs as it stands, block after block."""

import pathlib
import re

README = pathlib.Path(__file__).parent.parent / "README.md"


def test_snippets_run(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 5
    names = {}
    for block in blocks:
        exec(compile(block, README.name, "exec"), names)
    assert names["maps"].shape == (8, 64, 64, 10)
    assert (tmp_path / "maps.png").exists()
    assert "nan" not in capsys.readouterr().out.splitlines()[-1]


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text())
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


def test_nothing_is_left_to_fill_in():
    for page in (README, README.parent / "benchmarks" / "RESULTS.md"):
        assert re.findall(r"^[A-Z]+$", page.read_text(), flags=re.MULTILINE) == []
