"""What a rule of conversion is."""

from abc import ABC, abstractmethod


class Rule(ABC):
    """How one kind of layer is converted.

    Attributes:
        where: The setting of `plan` that the rule needs: `"pooling"`, or `"all"` for
            layers that are more than a pooling.
    """

    where = "pooling"

    @abstractmethod
    def matches(self, layer):
        """Whether `layer` is of the rule's kind.

        Subclasses of Keras layers are of no kind, since they may compute something
        else.
        """

    @abstractmethod
    def rewrite(self, layer, graph, stays):
        """Says what takes the place of a layer that matches.

        Args:
            layer: The layer.
            graph: The `Graph` it is called in.
            stays: Function that says whether a layer was asked to stay as it is.

        Returns:
            A `Rewrite`.

        Raises:
            LeftAloneError: If it stays; the message is the reason.
        """
