"""What conversion puts in the place of a layer."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, eq=False)
class Lap:
    """A new LAP layer; parts with the same source are one layer, shared.

    Attributes:
        layer_class: `LAPooling2D` or `GlobalLAPooling2D`.
        source: The layer of the given model that it is made for.
        config: The arguments of its constructor that its place decides.
    """

    layer_class: type
    source: Any
    config: dict

    @property
    def name(self):
        """Name of the layer."""
        return self.config["name"]


@dataclass(frozen=True, eq=False)
class Zeros:
    """A new `ZeroPadding2D`.

    Attributes:
        config: The arguments of its constructor.
    """

    config: dict


@dataclass(frozen=True, eq=False)
class Own:
    """A copy of the layer itself.

    Attributes:
        changes: The settings that the copy has otherwise.
    """

    changes: dict


@dataclass(frozen=True, eq=False)
class Rewrite:
    """The chain of layers that a layer becomes, wherever it is called.

    Attributes:
        chain: `Lap`, `Zeros` and `Own` parts in the order of the forward pass, one
            `Lap` among them.
        absorbs: Calls in front of the layer whose work the chain does.
    """

    chain: tuple[Any, ...]
    absorbs: tuple[Any, ...] = ()

    @property
    def lap(self):
        """The `Lap` part."""
        return next(part for part in self.chain if isinstance(part, Lap))


class LeftAloneError(Exception):
    """Raised by a rule that leaves a layer as it is; its message is the reason."""
