"""How much memory there is left."""

import contextlib
import pathlib

_MEMORY = pathlib.Path("/proc/meminfo")
_GROUP = pathlib.Path("/sys/fs/cgroup")


def available_memory():
    """Bytes that the process can take without swapping, `None` if nobody says.

    On Linux: what the kernel counts as available, or what the process' control group
    (version 2) leaves of its limit, if that is less, where cached files count as left.
    Unknown on other systems.
    """
    try:
        lines = _MEMORY.read_text().splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line]
    # There may be no such group, or its limit be "max".
    with contextlib.suppress(OSError, ValueError):
        limit, used = (
            int((_GROUP / f"memory.{name}").read_text()) for name in ("max", "current")
        )
        found.append(limit - used + _cached())
    return min(found, default=None)


def _cached():
    """Bytes of the control group that are cached files, 0 if nobody says."""
    try:
        lines = (_GROUP / "memory.stat").read_text().splitlines()
        sizes = dict(line.split() for line in lines)
        return int(sizes["active_file"]) + int(sizes["inactive_file"])
    except (OSError, ValueError, KeyError):
        return 0
