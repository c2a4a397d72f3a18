"""The committed PTX: that it is what the kernels compile to, and that it assembles."""

import functools
import importlib.metadata
import importlib.util
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from effort import THOROUGH

from keras_lap.kernels.gpu.shipped import HEADER, shipped_kernels
from keras_lap.kernels.gpu.variants import DTYPES, VARIANTS

ROOT = pathlib.Path(__file__).parents[2]
PINNED_TRITON = "3.9.0"
ARCHITECTURES = ("sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120")


def find_ptxas():
    """That on the PATH, or else that of Triton, or none."""
    triton = importlib.util.find_spec("triton")
    if shutil.which("ptxas") or triton is None:
        return shutil.which("ptxas")
    (folder,) = triton.submodule_search_locations
    return shutil.which("ptxas", path=f"{folder}/backends/nvidia/bin")


PTXAS = find_ptxas()


def installed_triton():
    try:
        return importlib.metadata.version("triton")
    except importlib.metadata.PackageNotFoundError:
        return "none"


@pytest.mark.skipif(
    installed_triton() != PINNED_TRITON,
    reason=f"the PTX was made by Triton {PINNED_TRITON}, installed is "
    f"{installed_triton()}",
)
def test_the_header_is_what_the_kernels_compile_to():
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    which = "all" if THOROUGH else "some"
    done = subprocess.run(
        [sys.executable, "-m", "kernels.gpu.ahead_of_time", "--check", which],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


ENTRY = re.compile(r'^    \{"(\w+)", (.+?), \{(.+?)\}, (\d+), ', re.MULTILINE)


def test_the_header_holds_the_variants_in_order():
    """Launchers in Python take them by their place, those in C++ by these fields."""
    found = [
        (entry, *map(int, ", ".join(numbers).split(", ")))
        for entry, *numbers in ENTRY.findall(HEADER.read_text())
    ]
    assert found == [
        (
            variant.kernel,
            -1 if variant.dtype is None else DTYPES.index(variant.dtype),
            variant.window,
            variant.has_max,
            variant.per_channel,
            variant.vector,
            *(*variant.block, 0)[:3],
            32 * variant.warps,
        )
        for variant in VARIANTS
    ]


def test_the_header_stays_within_bounds():
    assert HEADER.stat().st_size < 3 * 2**20


def test_the_code_runs_on_every_later_architecture():
    for shipped in shipped_kernels().values():
        assert ".target sm_80\n" in shipped.ptx
        assert ".version 8.0\n" in shipped.ptx
        assert f".visible .entry {shipped.entry}(" in shipped.ptx
        assert f".reqntid {shipped.threads}\n" in shipped.ptx


@functools.cache
def known_to_ptxas():
    """Architectures that ptxas assembles for."""
    usage = subprocess.run([PTXAS, "--help"], stdout=subprocess.PIPE, text=True)
    return set(re.findall(r"sm_\d+", usage.stdout))


@pytest.mark.skipif(PTXAS is None, reason="no ptxas was found")
@pytest.mark.parametrize("place", range(len(ARCHITECTURES)), ids=ARCHITECTURES)
def test_the_code_assembles(place, tmp_path):
    """Each architecture takes its share of the kernels, and all kernels are taken."""
    if ARCHITECTURES[place] not in known_to_ptxas():
        pytest.skip(f"this ptxas does not know {ARCHITECTURES[place]}")
    kernels = list(shipped_kernels().values())[place :: len(ARCHITECTURES)]
    source, output = tmp_path / "kernel.ptx", tmp_path / "kernel.cubin"
    for shipped in kernels:
        source.write_text(shipped.ptx)
        command = [PTXAS, f"-arch={ARCHITECTURES[place]}", source, "-o", output]
        subprocess.run(command, check=True)
        assert output.stat().st_size > 0
        output.unlink()
