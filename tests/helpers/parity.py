"""The libraries that metrics are compared with; `make parity` installs them all."""

import pytest


def import_or_skip(name):
    """A module of another library; the test is skipped where it is not installed."""
    library = name.split(".")[0]
    return pytest.importorskip(name, reason=f"{library} is not installed: make parity")
