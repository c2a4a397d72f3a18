"""The build of the fused op, with a compiler that only pretends."""

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import re
import shutil
import stat
import subprocess
import sys
import zipfile

import pytest

from keras_lap.kernels import build as building
from keras_lap.kernels import library
from keras_lap.kernels.build import BuildError, build

ROOT = pathlib.Path(__file__).parents[2]

# Notes its arguments; fails if all words in `fails` are among them; else writes a file.
COMPILER = """\
#!/bin/sh
here=${0%/*}
arguments=" $* "
case $arguments in *" --version "*) exec cat "$here/version" ;; esac
printf '%s\\n' "$*" >> "$here/calls"
fails=$(cat "$here/fails")
for word in $fails; do
    case $arguments in *"$word"*) ;; *) fails= ;; esac
done
if [ -n "$fails" ]; then
    echo "error: no such thing as a pooling" >&2
    exit 1
fi
while [ "$1" != -o ]; do [ $# -gt 0 ] || exit 1; shift; done
case $arguments in
    *" -shared "*) [ -e "$here/library.so" ] && exec cp "$here/library.so" "$2" ;;
esac
printf built > "$2"
"""


class Compiler:
    """A stand-in for g++."""

    def __init__(self, directory):
        self.directory = directory
        self.path = directory / "g++"
        self.path.write_text(COMPILER)
        self.path.chmod(self.path.stat().st_mode | stat.S_IXUSR)
        self.set_version("pretended 1.0")
        self.fail_on()

    def link_to(self, library):
        """Gives this file for every library from now on."""
        shutil.copy(library, self.directory / "library.so")

    def set_version(self, version):
        (self.directory / "version").write_text(version)

    def fail_on(self, *words):
        """Refuses every call with all of `words` in its arguments from now on."""
        (self.directory / "fails").write_text(" ".join(words))

    def calls(self):
        """Argument lines since the last time, except for the version's."""
        path = self.directory / "calls"
        calls = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return calls


@pytest.fixture
def compiler(tmp_path, monkeypatch):
    directory = tmp_path / "compiler"
    directory.mkdir()
    compiler = Compiler(directory)
    monkeypatch.setenv("CXX", str(compiler.path))
    # What the compiler wrote is no library.
    monkeypatch.setattr(building, "LOAD", "")
    return compiler


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "lib"


@pytest.fixture
def tensorflow(monkeypatch):
    """The installed TensorFlow; the function given back changes its version."""
    installed = building.find_tensorflow()

    def pretend(version):
        changed = building.TensorFlow(version, installed.directory)
        for module in (building, library):
            monkeypatch.setattr(module, "find_tensorflow", lambda: changed)

    pretend("2.21.0")
    return pretend


def build_quietly(directory, **options):
    return build(directory, report=lambda line: None, **options)


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_builds_once(compiler, directory, tensorflow):
    lines = []
    path = build(directory, report=lines.append)
    assert path == directory / "keras_lap_ops_tf2.21.so"
    assert path.read_text() == "built"
    assert names(directory) == ["keras_lap_ops_tf2.21.json", path.name]
    calls = compiler.calls()
    assert len(calls) == len(building.sources()) + 1
    assert lines[0] == "Building for TensorFlow 2.21.0 with pretended 1.0"
    assert [line.split()[0] for line in lines[1:-1]] == [
        f"[{i}/{len(calls) - 1}]" for i in range(1, len(calls))
    ]
    record = building.read_record(path)
    assert record["tensorflow"] == "2.21.0"
    assert record["compiler"] == "pretended 1.0"
    assert record["xla"] is None
    assert build(directory, report=lines.append) == path
    assert lines[-1].endswith("is up to date")
    assert compiler.calls() == []
    build_quietly(directory, force=True)
    assert len(compiler.calls()) == len(calls)


def test_builds_anew_when_anything_changed(
    compiler, directory, tensorflow, tmp_path, monkeypatch
):
    copy = tmp_path / "copy" / "kernels"
    for path in [*building.KERNELS.rglob("*.h"), *building.sources()]:
        target = copy / path.relative_to(building.KERNELS)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    monkeypatch.setattr(building, "KERNELS", copy)

    def changed():
        build_quietly(directory)
        return bool(compiler.calls())

    assert changed()
    assert not changed()
    for name in ("pooling.h", "tensorflow/ops.cc"):
        with open(copy / name, "a") as file:
            file.write("// changed\n")
        assert changed()
        assert not changed()
    compiler.set_version("pretended 2.0")
    assert changed()
    tensorflow("2.21.1")
    assert changed()
    script = copy / "build.py"
    script.write_text("CORE_FLAGS = ('-O1',)\n")
    monkeypatch.setattr(building, "__file__", str(script))
    assert changed()
    assert not changed()
    (directory / "keras_lap_ops_tf2.21.json").write_text("{")
    assert changed()
    assert not changed()


def test_every_source_is_compiled_with_its_flags(compiler, directory, tensorflow):
    build_quietly(directory)
    calls = {call.split(" -c ")[-1].split()[0]: call for call in compiler.calls()}
    for path in building.sources():
        flags = calls[str(path)].split()
        is_core = path.parent.name != "tensorflow"
        assert ("-O3" in flags) == is_core
        assert any("tensorflow/include" in flag for flag in flags) != is_core
        assert "-DNDEBUG" in flags
        assert not any("fast-math" in flag or "finite" in flag for flag in flags)


def test_flags_are_those_of_tensorflow():
    tf = pytest.importorskip("tensorflow")
    flags = {flag.lstrip("-") for flag in tf.sysconfig.get_compile_flags()}
    flags = {flag for flag in flags if not flag.startswith("I")}
    ours = {*building.COMMON_FLAGS, *building.TENSORFLOW_FLAGS}
    assert flags <= {flag.lstrip("-") for flag in ours}
    found = building.find_tensorflow()
    assert found.version == tf.__version__
    assert str(found.directory / "include") == tf.sysconfig.get_include()


def test_two_versions_of_tensorflow_are_refused(monkeypatch, tmp_path):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").touch()
    for name, version in ("tensorflow", "2.20.0"), ("tensorflow_cpu", "2.21.0"):
        metadata = tmp_path / f"{name}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
        (metadata / "top_level.txt").write_text("tensorflow\n")
    monkeypatch.setattr(building, "_search_paths", lambda: [str(tmp_path)])
    with pytest.raises(BuildError) as refused:
        building.find_tensorflow()
    for received in "tensorflow 2.20.0", "tensorflow_cpu 2.21.0":
        assert received in str(refused.value)


@pytest.mark.parametrize("words", [["xla_kernels.cc"], ["xla_kernels.o", "-shared"]])
def test_does_without_xla(compiler, directory, tensorflow, words):
    compiler.fail_on(*words)
    lines = []
    path = build(directory, report=lines.append)
    assert "no such thing as a pooling" in building.read_record(path)["xla"]
    assert build(directory, report=lines.append) == path
    for line in lines[-3], lines[-1]:
        assert line.startswith("XLA cannot compile its ops: ")
        assert line.endswith("--force.")
    link = compiler.calls()[-1]
    assert "-shared" in link
    assert "tensorflow_ops.o" in link
    assert "tensorflow_xla" not in link
    found = library.find(directory)
    assert found.path == path
    assert "no such thing as a pooling" in found.xla_reason


@pytest.mark.parametrize("where", ["ops.cc", "-shared"])
def test_a_failure_says_why_and_leaves_the_old_library(
    compiler, directory, tensorflow, where
):
    path = build_quietly(directory)
    before = building.read_record(path)
    path.write_text("older")
    compiler.fail_on(where)
    with pytest.raises(BuildError, match="no such thing as a pooling"):
        build_quietly(directory, force=True)
    assert path.read_text() == "older"
    assert building.read_record(path) == before
    assert names(directory) == [
        "failure.json",
        path.with_suffix(".json").name,
        path.name,
    ]
    assert library.find(directory).path == path
    compiler.fail_on()
    build_quietly(directory, force=True)
    assert path.read_text() == "built"
    assert "failure.json" not in names(directory)


def test_a_library_that_does_not_load_is_none(
    compiler, directory, tensorflow, monkeypatch
):
    monkeypatch.setattr(building, "LOAD", "raise SystemExit('undefined symbol: pool')")
    with pytest.raises(
        BuildError, match=r"The new library failed with status 1:\nundefined"
    ):
        build_quietly(directory)
    assert names(directory) == ["failure.json"]


def test_find_before_any_build(directory, tensorflow):
    found = library.find(directory)
    assert found.path is None
    assert found.reason == (
        "The fused op is not built for TensorFlow 2.21.0. Run `keras-lap build`, then "
        "start Python anew."
    )


def test_find_after_a_failure(compiler, directory, tensorflow, monkeypatch):
    compiler.fail_on("ops.cc")
    with pytest.raises(BuildError):
        build_quietly(directory)
    reason = library.find(directory).reason
    assert "The last attempt, on this machine at 2" in reason
    monkeypatch.setattr(platform, "node", lambda: "elsewhere")
    assert "on another machine at 2" in library.find(directory).reason
    assert "no such thing as a pooling" in reason
    assert "keras-lap build" in reason


def test_a_library_that_was_cut_short_is_refused_and_built_anew(
    compiler, directory, tensorflow
):
    path = build_quietly(directory)
    path.write_text("bui")
    found = library.find(directory)
    assert found.path is None
    assert "3 bytes of the 5 that were built" in found.reason
    build_quietly(directory)
    assert library.find(directory).path == path
    record = building.read_record(path)
    del record["size"]
    path.with_suffix(".json").write_text(json.dumps(record))
    assert library.find(directory).path == path


@pytest.mark.parametrize("record", ["[]", "3", "{", '{"sources": "b"}', None])
def test_a_record_that_cannot_be_read_is_said_to_be_so(
    compiler, directory, tensorflow, record
):
    path = build_quietly(directory)
    compiler.calls()
    if record is None:
        path.with_suffix(".json").unlink()
    else:
        path.with_suffix(".json").write_text(record)
        (directory / "failure.json").write_text(record)
    found = library.find(directory)
    assert found.path is None
    assert found.reason == (
        f"The record of the fused op in {path} is missing or cannot be read. Run "
        "`keras-lap build`, then start Python anew."
    )
    build_quietly(directory)
    assert compiler.calls()


def test_find_refuses_a_library_of_other_sources(
    compiler, directory, tensorflow, monkeypatch
):
    path = build_quietly(directory)
    assert library.find(directory).path == path
    monkeypatch.setattr(library, "sources_digest", lambda: "changed")
    reason = library.find(directory).reason
    assert "built from other sources" in reason
    compiler.fail_on("ops.cc")
    with pytest.raises(BuildError):
        build_quietly(directory, force=True)
    assert "no such thing as a pooling" in library.find(directory).reason


def test_find_names_both_versions(compiler, directory, tensorflow):
    path = build_quietly(directory)
    tensorflow("2.22.1")
    found = library.find(directory)
    assert found.path is None
    assert "built for TensorFlow 2.21.0, but 2.22.1 is installed" in found.reason
    other = build_quietly(directory)
    assert library.find(directory).path == other
    tensorflow("2.21.3")
    assert library.find(directory).path == path


def test_without_a_compiler(directory, tensorflow, monkeypatch, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        BuildError, match=r"none of g\+\+, c\+\+, clang\+\+ on the PATH"
    ):
        build_quietly(directory)
    assert "C++ compiler" in library.find(directory).reason
    for named, reason in (
        ("icpc -fast", "CXX=icpc -fast on the PATH"),
        (" ", r"none of g\+\+"),
        ('"g++', r'CXX="g\+\+: No closing quotation'),
    ):
        monkeypatch.setenv("CXX", named)
        with pytest.raises(BuildError, match=reason):
            build_quietly(directory)


def test_what_is_no_compiler(directory, tensorflow, monkeypatch):
    """The licence that some programs print is no reason."""
    monkeypatch.setenv("CXX", "/bin/sh -c 'echo licence; exit 1'")
    with pytest.raises(BuildError) as refused:
        build_quietly(directory)
    assert str(refused.value) == (
        "Expected a C++ compiler. `/bin/sh -c 'echo licence; exit 1' --version` failed "
        "with status 1."
    )


def test_a_compiler_of_several_words(compiler, directory, tensorflow, monkeypatch):
    monkeypatch.setenv("CXX", f"{compiler.path} -march=native")
    assert building.find_compiler().command == (str(compiler.path), "-march=native")


def test_without_tensorflow(compiler, directory, monkeypatch, tmp_path):
    monkeypatch.setattr(building, "_search_paths", lambda: [str(tmp_path)])
    with pytest.raises(BuildError, match="Expected TensorFlow in this environment"):
        build_quietly(directory)
    assert "Expected TensorFlow in this environment" in library.find(directory).reason
    # Nothing was tried, so there is nothing to remember once there is a TensorFlow.
    assert not directory.exists()


def test_on_another_system(compiler, directory, tensorflow, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(BuildError, match=r"Expected Linux.*darwin"):
        build_quietly(directory)
    reason = library.find(directory).reason
    assert reason.startswith("Expected Linux") and "keras-lap build" not in reason
    assert not directory.exists()


def test_where_a_file_is_in_the_way(compiler, directory, tensorflow):
    directory.write_text("not a directory")
    with pytest.raises(BuildError, match="a directory that can be written to"):
        build_quietly(directory)


def refuse(*arguments, **options):
    raise OSError("[Errno 30] Read-only file system")


def test_where_nothing_can_be_written(compiler, directory, tensorflow, monkeypatch):
    path = build_quietly(directory)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(BuildError, match=r"can be written to.*Read-only"):
        build_quietly(directory, force=True)
    monkeypatch.setattr(pathlib.Path, "unlink", refuse)
    assert build_quietly(directory) == path


def test_long_messages_are_cut(compiler, directory, tensorflow, monkeypatch):
    monkeypatch.setattr(building, "LOAD", "raise SystemExit('\\n'.join('x' * 99))")
    with pytest.raises(BuildError) as caught:
        build_quietly(directory)
    assert str(caught.value).endswith("... 59 lines more")


def test_runs_as_a_script(tmp_path):
    environment = {**os.environ, "CXX": "no-such-compiler"}
    script = tmp_path / "kernels" / "build.py"
    script.parent.mkdir()
    script.write_text((building.KERNELS / "build.py").read_text())
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "CXX=no-such-compiler" in done.stderr
    assert "Traceback" not in done.stderr
    failure = json.loads((tmp_path / "kernels" / "lib" / "failure.json").read_text())
    assert "CXX=no-such-compiler" in failure["message"]


WHEEL = """
import sys
from setuptools import build_meta
print(build_meta.build_wheel(sys.argv[1]))
"""
setuptools_cases = pytest.mark.skipif(
    int(importlib.metadata.version("setuptools").split(".")[0]) < 77
    if importlib.util.find_spec("setuptools")
    else True,
    reason="setuptools 77 or newer is not installed",
)


@pytest.fixture
def build_wheel(tmp_path):
    """Builds a wheel of a copy of the project; returns its name and files.

    An earlier build has left a source there that the project no longer has.
    """

    def build_wheel():
        project, target = tmp_path / "project", tmp_path / "dist"
        for name in ("keras_lap", "kernels"):
            ignored = shutil.ignore_patterns("lib", "__pycache__")
            shutil.copytree(ROOT / name, project / name, ignore=ignored)
        for name in ("LICENSE", "README.md", "pyproject.toml", "setup.py"):
            shutil.copy(ROOT / name, project)
        left = project / "build" / "lib" / "keras_lap" / "kernels" / "removed.h"
        left.parent.mkdir(parents=True)
        left.touch()
        subprocess.run([sys.executable, "-c", WHEEL, target], cwd=project, check=True)
        (wheel,) = target.iterdir()
        with zipfile.ZipFile(wheel) as archive:
            return wheel.name, {name: archive.read(name) for name in archive.namelist()}

    return build_wheel


def assert_holds_all_sources(files):
    for path in [*building.KERNELS.rglob("*.h"), *building.sources()]:
        name = f"keras_lap/kernels/{path.relative_to(building.KERNELS)}"
        assert files[name] == path.read_bytes()
    assert "keras_lap/kernels/removed.h" not in files
    for path in (ROOT / "keras_lap" / "report" / "page").iterdir():
        assert files[f"keras_lap/report/page/{path.name}"] == path.read_bytes()


@setuptools_cases
def test_a_build_among_the_sources_leaves_them(compiler, tmp_path):
    compiler.fail_on("ops.cc")
    source = "keras_lap/__init__.py"
    (tmp_path / source).parent.mkdir()
    for name in (source, "LICENSE", "README.md", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    ignored = shutil.ignore_patterns("lib", "__pycache__")
    shutil.copytree(ROOT / "kernels", tmp_path / "kernels", ignore=ignored)
    command = [sys.executable, "setup.py", "--quiet", "build_py", "--build-lib", "."]
    subprocess.run(command, cwd=tmp_path, check=True)
    assert (tmp_path / source).exists()


@pytest.mark.thorough
@setuptools_cases
def test_a_wheel_with_a_library_names_the_platform(compiler, build_wheel):
    found = library.find()
    assert found.path is not None, found.reason
    compiler.link_to(found.path)
    name, files = build_wheel()
    assert re.search(r"-py3-none-linux_\w+\.whl", name)
    assert files[f"keras_lap/kernels/lib/{found.path.name}"] == found.path.read_bytes()
    assert_holds_all_sources(files)


@setuptools_cases
def test_a_wheel_without_a_library_says_why(compiler, build_wheel):
    compiler.fail_on("ops.cc")
    name, files = build_wheel()
    assert name.endswith("-py3-none-any.whl")
    assert not any(name.endswith(".so") for name in files)
    failure = json.loads(files["keras_lap/kernels/lib/failure.json"])
    assert "no such thing as a pooling" in failure["message"]
    assert_holds_all_sources(files)
