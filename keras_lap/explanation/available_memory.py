"""How much memory there is left."""

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
    try:
        limit, used, parts = (
            (_GROUP / name).read_text()
            for name in ("memory.max", "memory.current", "memory.stat")
        )
        sizes = dict(line.split() for line in parts.splitlines())
        cached = int(sizes["active_file"]) + int(sizes["inactive_file"])
        found.append(int(limit) - int(used) + cached)
    except (OSError, ValueError, KeyError):
        # No such group, or one whose limit is "max".
        pass
    return min(found, default=None)
