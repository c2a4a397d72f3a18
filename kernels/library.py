"""Which built library, if any, fits the installed TensorFlow."""

import dataclasses
from pathlib import Path

from keras_lap.kernels.build import (
    LIBRARIES,
    BuildError,
    check_system,
    find_tensorflow,
    is_whole,
    library_path,
    read_failure,
    read_record,
    sources_digest,
)

REBUILD = "Run `keras-lap build`, then start Python anew."


@dataclasses.dataclass(frozen=True)
class Library:
    """What was found.

    Attributes:
        path: The library, or `None`.
        reason: Why there is none, in plain words, or `None`.
        xla_reason: Why XLA cannot compile the ops in it, or `None` if it can.
    """

    path: Path | None
    reason: str | None = None
    xla_reason: str | None = None


def find(directory=LIBRARIES):
    """Finds the library for the installed TensorFlow without loading either.

    Args:
        directory: Where built libraries lie.

    Returns:
        A `Library`, with a `path` or a `reason`.
    """
    try:
        check_system()
    except BuildError as error:
        return Library(None, str(error))
    try:
        tensorflow = find_tensorflow()
    except BuildError as error:
        return Library(None, f"{error} {REBUILD}")
    path = library_path(tensorflow.minor, directory)
    record = read_record(path)
    if is_whole(path, record) and record.get("sources") == sources_digest():
        return Library(path, xla_reason=record["xla"])
    return Library(None, _why_missing(directory, tensorflow, path, record))


def _why_missing(directory, tensorflow, path, record):
    others = [
        read_record(other).get("tensorflow", other.stem)
        for other in sorted(Path(directory).glob(library_path("*").name))
    ]
    if path.exists() and not record:
        reason = f"The record of the fused op in {path} is missing or cannot be read."
    elif path.exists() and not is_whole(path, record):
        reason = (
            f"The fused op in {path} is not whole: it has {path.stat().st_size} bytes "
            f"of the {record['size']} that were built."
        )
    elif path.exists():
        reason = "The fused op was built from other sources than those that are here."
    elif others:
        reason = (
            f"The fused op was built for TensorFlow {', '.join(others)}, but "
            f"{tensorflow.version} is installed."
        )
    else:
        reason = f"The fused op is not built for TensorFlow {tensorflow.version}."
    failure = read_failure(directory)
    return f"{reason} {failure}\n{REBUILD}" if failure else f"{reason} {REBUILD}"
