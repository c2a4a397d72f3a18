"""What losses of every contract have in common."""

import re

from keras import ops

# Knowledge that is negative where nothing is known.
_SIGNED = ("present", "concepts", "area")


class BaseLoss:
    """A penalty with a name, one value per sample, that takes knowledge by name.

    Its subclasses `KnowledgeLoss`, `CrossLayerLoss`, `InputGradientLoss` and
    `PerturbationLoss` say what else it takes.

    Args:
        name: Name under which the term is logged; by default the class's name in
            snake case.

    Attributes:
        needs: Names of the knowledge without which a sample is left out of the term.
        accepts: Names of the knowledge that is taken where the targets hold it.
        compares_places: Whether it matters where in the image maps lie.
    """

    needs = ()
    accepts = ()
    compares_places = False

    def __init__(self, name=None):
        self.name = name or _snake_case(type(self).__name__)

    @property
    def takes(self):
        """All names of knowledge, those in `needs` and those in `accepts`."""
        return (*self.needs, *self.accepts)

    def for_model(self, model):
        """The loss, with what it has to know of a compiled model settled."""
        return self

    def told(self, forward):
        """Which samples of a `ForwardPass` are told what the loss needs, `(N,)`.

        Beside what `Knowledge.counts` leaves out. `None` stands for all.
        """
        return None

    def told_in_layer(self, knowledge):
        """Which samples a layer's knowledge tells enough, flags `(N,)`.

        It has to say something of what labels name, of attributes and of areas, as far
        as the loss needs them, and to have enough masks. `None` stands for all samples.

        Args:
            knowledge: Mapping as `SupervisedLayer.knowledge`.
        """
        return all_of([*self.told_values(knowledge), *self.told_masks(knowledge)])

    def told_values(self, knowledge):
        """Which samples it tells any value of what is needed, a list of flags `(N,)`.

        What is known of some concepts may be nothing for a layer with a single one.
        """
        values = [knowledge[name] for name in _SIGNED if name in self.needs]
        return [ops.any(each >= 0, axis=tuple(range(1, each.ndim))) for each in values]

    def told_masks(self, knowledge):
        """Which samples it tells enough masks, a list of flags `(N,)`.

        With `"mask_known"` among what the loss takes, the mask of one concept will do,
        and else those of all have to be known.
        """
        if "mask" not in self.needs or "mask_known" not in knowledge:
            return []
        enough = ops.any if "mask_known" in self.takes else ops.all
        return [enough(knowledge["mask_known"], axis=-1)]

    def of_pass(self, forward, counts):
        """The term of each sample in one `ForwardPass`, `(N,)`.

        Args:
            forward: The `ForwardPass`.
            counts: How much each sample counts, `(N,)`. Those of 0 may have any value.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must implement `of_pass(forward, counts)`, as the "
            "losses that it can be a subclass of instead do."
        )

    def choose(self, knowledge):
        """What the loss takes of some knowledge: dict from names to tensors."""
        names = [*self.needs, *(name for name in self.accepts if name in knowledge)]
        return {name: knowledge[name] for name in names}

    def per_sample(self, values):
        """What `call` gave, if it is one value per sample.

        Raises:
            ValueError: If it is not.
        """
        shape = tuple(ops.shape(values))
        if len(shape) != 1:
            raise ValueError(
                f"Expected the loss {self.name!r} to return one value per sample, "
                f"(N,): average over the other axes. Received shape: {shape}"
            )
        return values

    def get_config(self):
        return {"name": self.name}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


def all_of(flags):
    """Where all of a list of flags `(N,)` are set, or `None` without any."""
    return ops.all(ops.stack(flags), axis=0) if flags else None


def in_float32(tensors):
    """A dict of tensors, cast."""
    return {name: ops.cast(tensor, "float32") for name, tensor in tensors.items()}


def must_implement(loss, method):
    """The error of a subclass without one of its methods."""
    return NotImplementedError(f"{type(loss).__name__} must implement `{method}`.")


def _snake_case(name):
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
