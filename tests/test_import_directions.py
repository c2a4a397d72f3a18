"""Packages know only those that docs/architecture.md lets them know."""

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "keras_lap"
ROW = re.compile(r"\| `(\w+)/` \|.*\| ([^|]*) \|")
ALLOWED = {
    package: set(re.findall(r"`(\w+)`", known))
    for package, known in ROW.findall((ROOT / "docs/architecture.md").read_text())
}
PACKAGES = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def imported(path):
    """Names of what a file imports from inside `keras_lap`, whole module paths."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "keras_lap":
            yield from (f"keras_lap.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def known_packages(files):
    """Packages of `keras_lap` that files import from."""
    parts = (name.split(".") for file in files for name in imported(file))
    found = {second for first, second, *_ in filter(_is_long, parts)}
    return found & {*PACKAGES, "kernels"}


def _is_long(parts):
    return parts[0] == "keras_lap" and len(parts) > 1


def test_every_package_has_its_row():
    assert sorted(ALLOWED) == sorted([*PACKAGES, "kernels"])


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_know_those_below_them(package):
    known = known_packages((PACKAGE / package).rglob("*.py"))
    assert known - {package, "utils"} <= ALLOWED[package]


def test_evaluation_knows_explanation_by_its_interface_alone():
    files = (PACKAGE / "evaluation").rglob("*.py")
    names = {name for file in files for name in imported(file)}
    interface = "keras_lap.explanation"
    assert {name for name in names if name.startswith(interface)} == {interface}


def test_modules_beside_the_packages_are_few():
    names = {path.stem for path in PACKAGE.glob("*.py")}
    assert names == {"__init__", "callbacks", "losses"}


def test_utils_know_no_package():
    assert known_packages((PACKAGE / "utils").rglob("*.py")) == {"utils"}


def test_native_code_knows_no_package():
    assert known_packages((ROOT / "kernels").rglob("*.py")) <= {"kernels"}


def test_rows_have_no_circle():
    left = dict(ALLOWED)
    while left:
        free = [package for package, known in left.items() if not known & set(left)]
        assert free, f"These know each other in a circle: {sorted(left)}"
        for package in free:
            del left[package]
