"""Compiles the fused op with the user's C++ compiler for the TensorFlow at hand.

Runs as a module of the installed package, as a script, and inside an installation,
where nothing but the standard library is at hand.
"""

import concurrent.futures
import contextlib
import dataclasses
import datetime
import hashlib
import importlib.machinery
import importlib.metadata
import json
import os
import platform
import shlex
import shutil
import site
import subprocess
import sys
import tempfile
import time
from pathlib import Path

KERNELS = Path(__file__).parent
LIBRARIES = KERNELS / "lib"
FAILURE = "failure.json"
COMPILERS = ("g++", "c++", "clang++")

COMMON_FLAGS = (
    *("-std=c++17", "-fPIC", "-DNDEBUG", "-fvisibility=hidden"),
    # Of the strings that TensorFlow takes and that the rest of the sources gives.
    "-D_GLIBCXX_USE_CXX11_ABI=1",
)
# No flag here may assume finite values: NaN and infinity have to propagate.
CORE_FLAGS = ("-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd")
# As `tf.sysconfig.get_compile_flags()` has them, which takes seconds to ask for.
TENSORFLOW_FLAGS = ("-O2", "-DEIGEN_MAX_ALIGN_BYTES=64")
TENSORFLOW_INCLUDES = (".", "external/highwayhash", "external/farmhash_archive/src")
TENSORFLOW_LIBRARIES = ("libtensorflow_framework.so.2", "libtensorflow_cc.so.2")
# Every symbol has to be found while linking, not when the library is loaded.
LINK_FLAGS = ("-shared", "-s", "-Wl,-z,defs", "-Wl,--no-as-needed")

LOAD = """
import sys
library, *paths = sys.argv[1:]
sys.path += [path for path in paths if path not in sys.path]
import tensorflow as tf
tf.load_op_library(library)
"""
ERROR_LINES = 40
# One includes XLA's headers, one holds every kernel for several instruction sets.
LONGEST = ("xla_kernels.cc", "channels.cc")
# What every record of a library holds, `size` besides in newer ones.
NOTED = {"tensorflow", "compiler", "sources", "key", "xla", "seconds", "time"}


class BuildError(RuntimeError):
    """The library could not be built; the message says why."""


class NothingToBuildError(BuildError):
    """There is no TensorFlow to build for, or a system on which nothing is built."""


@dataclasses.dataclass(frozen=True)
class TensorFlow:
    """An installed TensorFlow."""

    version: str
    directory: Path

    @property
    def minor(self):
        """Version without the patch: what a library fits, as in `"2.21"`."""
        return ".".join(self.version.split(".")[:2])


@dataclasses.dataclass(frozen=True)
class Compiler:
    """A C++ compiler: its command as a list of words, and its version line."""

    command: tuple
    version: str


def build(directory=LIBRARIES, *, force=False, report=print):
    """Builds the library unless an up-to-date one is there.

    A failed attempt leaves an older library as it was, and its reason in the directory.

    Args:
        directory: Where the library and its record go.
        force: Whether to compile although nothing changed.
        report: Function called with each line of progress.

    Returns:
        Path of the library.

    Raises:
        BuildError: If there is no TensorFlow, no compiler, or one of them does not do,
            or if the directory cannot be written to.
    """
    directory = Path(directory)
    try:
        path = _build(directory, force, report)
    except NothingToBuildError:
        raise
    except BuildError as error:
        _record_failure(directory, error)
        raise
    except OSError as error:
        raise BuildError(
            "Expected sources that can be read, and a directory that can be written "
            f"to. Received: {directory} ({error}). Build as the user who installed "
            "keras-lap."
        ) from error
    # What cannot be removed tells of an attempt before the library that is there.
    with contextlib.suppress(OSError):
        (directory / FAILURE).unlink(missing_ok=True)
    return path


def check_system():
    """Raises a `NothingToBuildError` where the op is not built."""
    if sys.platform != "linux":
        raise NothingToBuildError(
            "Expected Linux: the fused op is not built elsewhere, where the pooling "
            f"runs in keras.ops. Received: {sys.platform}."
        )


def library_path(minor, directory=LIBRARIES):
    """Path of the library for a TensorFlow of the given minor version."""
    return Path(directory) / f"keras_lap_ops_tf{minor}.so"


def read_record(path):
    """What the build of a library noted down, as a dict; empty if it cannot be read.

    Keys: `tensorflow`, `compiler`, `sources` and `key` (digests), `xla` (`None` if
    XLA can compile the ops, else the message why not), `size` in bytes, `seconds`,
    `time`.
    """
    return _read(Path(path).with_suffix(".json"), NOTED)


def is_whole(path, record):
    """Whether a library is there, and of the size that its record tells, if any.

    Loading one that was cut short ends the process.
    """
    try:
        return record.get("size") in (None, Path(path).stat().st_size)
    except OSError:
        return False


def read_failure(directory=LIBRARIES):
    """When and where the last attempt failed, and why; `None` if it did not."""
    failure = _read(Path(directory) / FAILURE, {"message", "machine", "time"})
    if not failure:
        return None
    machine = "this" if failure["machine"] == _machine() else "another"
    when = f"on {machine} machine at {failure['time']}"
    return f"The last attempt, {when}, failed: {failure['message']}"


def find_tensorflow():
    """Finds the installed TensorFlow without importing it.

    Raises:
        BuildError: If there is none, or if it is of two versions.
    """
    spec = importlib.machinery.PathFinder.find_spec("tensorflow", _search_paths())
    if spec is None or spec.origin is None:
        raise NothingToBuildError(
            "Expected TensorFlow in this environment, which the fused op is compiled "
            "for. Install it."
        )
    directory = Path(spec.origin).parent
    found = {
        distribution.version: f"{distribution.name} {distribution.version}"
        for distribution in importlib.metadata.distributions(
            path=[str(directory.parent)]
        )
        if "tensorflow" in (distribution.read_text("top_level.txt") or "").split()
    }
    if len(found) != 1:
        raise BuildError(
            f"Expected one version of the TensorFlow in {directory}. Received: "
            f"{' and '.join(found.values()) or 'none'}. Uninstall it, delete what is "
            "left of it there, and install it anew."
        )
    return TensorFlow(*found, directory)


def find_compiler():
    """Finds `$CXX` or one of the usual C++ compilers.

    Raises:
        BuildError: If there is none, or it does not run.
    """
    named = os.environ.get("CXX", "").strip()
    try:
        own = shlex.split(named)
    except ValueError as error:
        raise BuildError(
            f"Expected a C++ compiler in CXX. Received: CXX={named}: {error}"
        ) from error
    for command in [own] if own else [[name] for name in COMPILERS]:
        if shutil.which(command[0]):
            asked = [*command, "--version"]
            what = f"Expected a C++ compiler. `{shlex.join(asked)}`"
            version = _run(asked, what)
            return Compiler(tuple(command), version.partition("\n")[0])
    received = f"CXX={named}" if named else f"none of {', '.join(COMPILERS)}"
    raise BuildError(
        f"Expected a C++ compiler. Received: {received} on the PATH. Install one (for "
        "instance the package g++), or name it in the environment variable CXX."
    )


def sources():
    """C++ files to compile; those that take longest come first."""
    files = [
        path
        for part in ("tensorflow", "gpu", "cpu")
        for path in sorted((KERNELS / part).glob("*.cc"))
    ]
    return sorted(files, key=lambda path: path.name not in LONGEST)


def sources_digest():
    """Changes whenever a C++ file or header does."""
    digest = hashlib.sha256()
    for path in sorted([*KERNELS.rglob("*.h"), *sources()]):
        digest.update(f"\0{path.relative_to(KERNELS)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _build(directory, force, report):
    check_system()
    started = time.monotonic()
    tensorflow, compiler = find_tensorflow(), find_compiler()
    target = library_path(tensorflow.minor, directory)
    digest = sources_digest()
    key = _key(tensorflow, compiler, digest)
    record = read_record(target)
    if not force and is_whole(target, record) and record.get("key") == key:
        report(f"{target} is up to date")
        _report_xla(record, report)
        return target
    report(f"Building for TensorFlow {tensorflow.version} with {compiler.version}")
    with _scratch(directory) as scratch:
        objects, xla = _compile_all(tensorflow, compiler, scratch, report)
        library, xla = _link(tensorflow, compiler, objects, xla, scratch)
        _run([sys.executable, "-c", LOAD, library, *_search_paths()], "The new library")
        record = {
            "tensorflow": tensorflow.version,
            "compiler": compiler.version,
            "sources": digest,
            "key": key,
            "xla": xla,
            "size": library.stat().st_size,
            "seconds": round(time.monotonic() - started, 1),
            "time": _now(),
        }
        os.replace(library, target)
        _write(target.with_suffix(".json"), record)
    report(f"Built {target} in {record['seconds']:.0f} s")
    _report_xla(record, report)
    return target


def _report_xla(record, report):
    if record["xla"] is not None:
        report(f"XLA cannot compile its ops: {record['xla']}\nTry again by --force.")


def _compile_all(tensorflow, compiler, scratch, report):
    """Compiles every source; returns objects by source, and why XLA is left out."""
    files, objects, xla = sources(), {}, None
    with concurrent.futures.ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        running = {
            pool.submit(_compile, tensorflow, compiler, path, scratch): path
            for path in files
        }
        completed = concurrent.futures.as_completed(running)
        for count, done in enumerate(completed, start=1):
            path = running[done]
            try:
                objects[path] = done.result()
                outcome = "compiled"
            except BuildError as error:
                if not _is_optional(path):
                    pool.shutdown(cancel_futures=True)
                    raise
                xla, outcome = str(error), "left out"
            report(f"[{count}/{len(files)}] {path.relative_to(KERNELS)} {outcome}")
    return objects, xla


def _compile(tensorflow, compiler, path, scratch):
    target = scratch / f"{path.parent.name}_{path.stem}.o"
    flags = [*COMMON_FLAGS, *_flags(path), f"-I{KERNELS.parent}"]
    if path.parent.name == "tensorflow":
        include = tensorflow.directory / "include"
        flags += [f"-isystem{include / part}" for part in TENSORFLOW_INCLUDES]
        flags.append(f"-DKERAS_LAP_TENSORFLOW={tensorflow.minor.replace('.', '')}")
    command = [*compiler.command, *flags, "-c", path, "-o", target]
    _run(command, f"{path.relative_to(KERNELS)} with {compiler.version}")
    return target


def _link(tensorflow, compiler, objects, xla, scratch):
    """Links the library, without XLA's part if that is where it fails."""
    target = scratch / "library.so"
    libraries = [f"-l:{name}" for name in TENSORFLOW_LIBRARIES]
    libraries = [f"-L{tensorflow.directory}", *libraries, "-ldl"]

    def link(objects):
        command = [*compiler.command, *LINK_FLAGS, *objects, "-o", target, *libraries]
        _run(command, "Linking")

    if xla is None:
        try:
            link(objects.values())
            return target, None
        except BuildError as error:
            xla = str(error)
    link([built for path, built in objects.items() if not _is_optional(path)])
    return target, xla


def _run(command, what):
    """Runs a command and returns its output, or raises a `BuildError` with it."""
    try:
        done = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise BuildError(f"{what} could not be run: {error}") from error
    if done.returncode == 0:
        return done.stdout
    lines = done.stderr.strip().splitlines()
    if len(lines) > ERROR_LINES:
        lines = [*lines[:ERROR_LINES], f"... {len(lines) - ERROR_LINES} lines more"]
    end = ":\n" + "\n".join(lines) if lines else "."
    raise BuildError(f"{what} failed with status {done.returncode}{end}")


def _is_optional(path):
    return path.name.startswith("xla_")


def _flags(path):
    return TENSORFLOW_FLAGS if path.parent.name == "tensorflow" else CORE_FLAGS


def _key(tensorflow, compiler, digest):
    """Changes whenever the library would come out differently."""
    words = [tensorflow.version, compiler.version, *compiler.command, digest]
    words.append(Path(__file__).read_text())
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _search_paths():
    """Where modules of this environment lie, also while pip hides them from a build."""
    paths = [*sys.path, *site.getsitepackages()]
    if sys.prefix == sys.base_prefix:
        paths.append(site.getusersitepackages())
    return paths


@contextlib.contextmanager
def _scratch(directory):
    """A temporary directory on the file system where the library will lie."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".build-") as path:
        yield Path(path)


def _record_failure(directory, error):
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # A wheel takes it to other machines.
        failure = {"message": str(error), "machine": _machine(), "time": _now()}
        _write(directory / FAILURE, failure)
    except OSError:
        pass  # The error itself is raised; there is only no place to keep it.


def _machine():
    """Tells this machine from others without its name."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:16]


def _read(path, keys):
    """The dict in a file if it holds these keys, else an empty one."""
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) and keys <= record.keys() else {}


def _write(path, record):
    scratch = path.with_suffix(f".{os.getpid()}.new")
    scratch.write_text(json.dumps(record, indent=2) + "\n")
    os.replace(scratch, path)


def _now():
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


if __name__ == "__main__":
    try:
        build()
    except BuildError as error:
        sys.exit(str(error))
