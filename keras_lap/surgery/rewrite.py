"""What conversion puts in the place of a layer."""

from dataclasses import dataclass, field
from typing import Any

from keras import layers

from keras_lap.surgery.copies import copy_operation, rematerialized_as


@dataclass(frozen=True, eq=False)
class Lap:
    """A new LAP layer; parts with the same source are one layer, shared.

    Attributes:
        layer_class: `LAPooling2D` or `GlobalLAPooling2D`.
        source: The layer of the given model that it is made for.
        config: The arguments of its constructor that its place decides, `name` among
            them.

    Raises:
        ValueError: If there is no name.
    """

    layer_class: type
    source: Any
    config: dict

    def __post_init__(self):
        if "name" not in self.config:
            raise ValueError(
                "Expected the `config` of a `Lap` with a 'name', as that of the layer "
                f"whose place it takes. Received keys: {sorted(self.config)}"
            )

    @property
    def name(self):
        """Name of the layer."""
        return self.config["name"]

    def new_layer(self, **options):
        """A new layer, with the arguments that its place leaves open."""
        with rematerialized_as(self.source):
            return self.layer_class(**self.config, **options)


@dataclass(frozen=True, eq=False)
class Zeros:
    """A new `ZeroPadding2D`.

    Attributes:
        config: The arguments of its constructor.
    """

    config: dict

    def new_layer(self):
        """A new layer."""
        return layers.ZeroPadding2D(**self.config)


@dataclass(frozen=True, eq=False)
class Own:
    """A copy of the layer itself.

    Attributes:
        layer: The layer of the given model.
        changes: The settings that the copy has otherwise.
    """

    layer: Any
    changes: dict = field(default_factory=dict)

    def new_layer(self):
        """A new layer, without the weights."""
        return copy_operation(self.layer, **self.changes)


@dataclass(frozen=True, eq=False)
class Rewrite:
    """The chain of layers that a layer becomes, wherever it is called.

    Attributes:
        chain: `Lap`, `Zeros` and `Own` parts in the order of the forward pass, one
            `Lap` among them.
        absorbs: Calls in front of the layer whose work the chain does: one for each
            call of the layer, in their order, or none.

    Raises:
        TypeError: If the chain is no tuple of such parts.
        ValueError: If not exactly one of them is a `Lap`.
    """

    chain: tuple[Any, ...]
    absorbs: tuple[Any, ...] = ()

    def __post_init__(self):
        parts = self.chain if isinstance(self.chain, tuple | list) else [None]
        if not all(isinstance(part, Lap | Zeros | Own) for part in parts):
            raise TypeError(
                "Expected a tuple of `Lap`, `Zeros` and `Own` parts, as in "
                f"`Rewrite((Lap(...),))`. Received: {self.chain}"
            )
        laps = [part for part in self.chain if isinstance(part, Lap)]
        if len(laps) != 1:
            raise ValueError(
                "Expected a chain with one `Lap` part: raise `LeftAloneError` for a "
                f"layer that gets none. Received: {self.chain}"
            )

    @property
    def lap(self):
        """The `Lap` part."""
        return next(part for part in self.chain if isinstance(part, Lap))

    @property
    def action(self):
        """In a few words, what is done to the layer."""
        own = [part for part in self.chain if isinstance(part, Own)]
        if not own:
            return "LAP in its place"
        changes = ["stride 1"] if own[0].changes else []
        if self.chain.index(self.lap) < self.chain.index(own[0]):
            return ", ".join(["LAP in front", *changes])
        return ", ".join([*changes, "LAP behind"])


class LeftAloneError(Exception):
    """Raised by a rule that leaves a layer as it is; its message is the reason."""
