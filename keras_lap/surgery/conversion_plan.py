"""What a conversion will do, shown and edited before it is done."""

import collections
import random

import numpy as np

from keras_lap.graph.addresses import Addresses
from keras_lap.graph.functional_of import functional_of
from keras_lap.surgery.concepts import automatic_concepts
from keras_lap.surgery.estimate import Estimate
from keras_lap.surgery.kept_max import check_gates
from keras_lap.surgery.lap_options import check_options, with_score_gain
from keras_lap.surgery.place_costs import PlaceCosts
from keras_lap.surgery.places import Place, find_places
from keras_lap.surgery.plan_row import PlanRow
from keras_lap.surgery.plan_table import html_table, text_table
from keras_lap.utils.standardize_count import standardize_count


class ConversionPlan:
    """What `keras_lap.convert` will do to a model; made by `keras_lap.plan`.

    Printed, it is a table of the layers that get LAP, with those that stay, and why,
    below. At the end of a notebook's cell it has a row for every layer that was looked
    at. Addresses are those of the table: the layer's or the LAP layer's, as a string or
    a tuple of names; the last name alone where it is unique. The methods that edit
    return the plan itself, and leave it as it was if they raise.

    Attributes:
        model: The model.
        where: `"pooling"` or `"all"`.
        keep_max: Whether max poolings stay, with LAP in front.
        image_size: Height and width that costs are counted for where the model takes
            images of any size.
        graph: The model's `Graph`.

    Example:

    >>> import keras, keras_lap
    >>> model = keras.applications.VGG16(weights=None, input_shape=(64, 64, 3))
    >>> plan = keras_lap.plan(model).skip("block1_pool").set("block5_pool", concepts=5)
    >>> [(row.layer, row.action, row.concepts) for row in plan.rows][::4]
    [('block1_pool', 'stays', None), ('block5_pool', 'LAP in its place', 5)]
    >>> estimate = plan.estimate(batch=32)
    >>> estimate.after.parameters - estimate.before.parameters
    3472
    """

    def __init__(self, graph, where, keep_max, options, image_size):
        self.model = graph.model
        self._planned = functional_of(graph.model)
        self.where = where
        self.keep_max = keep_max
        self.image_size = image_size
        self.graph = graph
        self._options = options
        self._costs = PlaceCosts(graph, image_size)
        self._skipped = {}
        self._settings = {}
        self._review()

    @property
    def rows(self):
        """List of `PlanRow`, by depth."""
        if self._rows is None:
            # Their layers draw seeds, which would be other ones for the conversion.
            state = random.getstate()
            try:
                self._rows = [self._row(entry) for entry in self._entries]
            finally:
                random.setstate(state)
        return self._rows

    @property
    def is_current(self):
        """Whether the model still has the graph that was planned for."""
        return functional_of(self.model) is self._planned

    @property
    def places(self):
        """List of the `Place` of every layer that conversion replaces, by depth."""
        return [entry for entry in self._entries if isinstance(entry, Place)]

    def skip(self, *addresses):
        """Leaves layers as they are.

        Args:
            *addresses: Addresses of layers of the model; that of a nested model stands
                for all layers in it.

        Returns:
            The plan.

        Raises:
            TypeError: If an address is neither a string nor a tuple of strings.
            ValueError: If there is no such layer, or several.
        """
        _check_one_by_one(addresses)
        known = Addresses("addresses of layers of the model", self._all_entries())
        layers = [layer for address in addresses for layer in known.find(address)]
        return self._leave(layers, "it was asked to be skipped")

    def only(self, *addresses, stages=()):
        """Leaves all layers as they are except for some of those that get LAP.

        Args:
            *addresses: Addresses, as for `skip`, of layers that get LAP, or of nested
                models that have some.
            stages: Stages of the table, one or several.

        Returns:
            The plan.

        Raises:
            TypeError: If an address is neither a string nor a tuple of strings.
            ValueError: If there is no such layer or stage, if one stays as it is, or
                if none is given.
        """
        kept = {id(layer) for layer in self._chosen(addresses, stages)}
        others = [place.layer for place in self.places if id(place.layer) not in kept]
        return self._leave(others, "it is not among those asked for")

    def set(self, *addresses, stages=(), **options):
        """Changes settings of LAP layers.

        Args:
            *addresses: Addresses, as for `only`. Of layers that share a LAP layer one
                stands for all.
            stages: Stages of the table, one or several.
            **options: `concepts`, and the other options of `keras_lap.plan`.

        Returns:
            The plan.

        Raises:
            TypeError: If an option is unknown, or an address is neither a string nor a
                tuple of strings.
            ValueError: If there is no such layer or stage, if one stays as it is, if
                none is given, if there is no option, if a value is out of its range, or
                if LAP would have no gate in front of a max pooling that stays.
        """
        if not options:
            raise ValueError(
                "Expected options of LAP layers to set, such as concepts=2. Received: "
                "none"
            )
        chosen = {id(layer) for layer in self._chosen(addresses, stages)}
        sources = {
            id(place.rewrite.lap.source)
            for place in self.places
            if id(place.layer) in chosen
        }
        settings = dict(self._settings)
        for place in self.places:
            if id(place.rewrite.lap.source) in sources:
                changed = {**self._settings_of(place.layer), **options}
                check_options({**self._options, **changed})
                settings[id(place.layer)] = changed
        return self._edit(self._fill, _settings=settings)

    def estimate(self, batch=1):
        """What the model costs before and after conversion.

        Args:
            batch: Number of images.

        Returns:
            An `Estimate`: multiply-adds and activation memory of a forward pass of
            the batch, and parameters.

        Raises:
            ValueError: If `batch` is no positive integer.
        """
        batch = standardize_count("batch", batch)
        before = self._costs.model
        after = sum((row.cost for row in self.rows), before)
        return Estimate(batch, before.times(batch), after.times(batch))

    def options_of(self, lap):
        """The arguments of a LAP layer that its place leaves open.

        Args:
            lap: The `Lap` part of one of the places.

        Returns:
            A dict.
        """
        return self._lap_options[id(lap.source)]

    def __str__(self):
        return text_table(self)

    def __repr__(self):
        return (
            f"<ConversionPlan of {self.model.name!r} with {len(self._lap_options)} LAP "
            "layers>"
        )

    def _repr_html_(self):
        return html_table(self)

    def _all_entries(self):
        """Pairs of an address and a layer, for all layers of the model."""
        originals = {}
        for layer in self.graph.operations:
            path = self.graph.path_of(layer)
            yield from ((path[: end + 1], layer) for end in range(len(path)))
            originals.setdefault(self.graph.original_of(layer), []).append(layer)
        names = collections.Counter(original.name for original in originals)
        for original, layers in originals.items():
            # The name of a layer whose calls count as several stands for all of them,
            # unless other layers have it.
            if len(layers) > 1 and names[original.name] == 1:
                yield from (((original.name,), layer) for layer in layers)
        for place in self.places:
            if place.rewrite.lap.name != place.layer.name:
                yield (*place.path[:-1], place.rewrite.lap.name), place.layer

    def _chosen(self, addresses, stages):
        """The layers that get LAP at some addresses and stages."""
        stages = [stages] if np.isscalar(stages) else list(stages)
        if not addresses and not stages:
            raise ValueError(
                "Expected addresses of layers that get LAP, or stages. Received: none"
            )
        _check_one_by_one(addresses)
        known = Addresses("addresses of layers that get LAP", self._all_entries())
        layers = [
            layer
            for address in addresses
            for layer in self._getting_lap(address, known.find(address))
        ]
        for stage in stages:
            if stage not in self._stages.values():
                raise ValueError(
                    "Expected stages of the plan, which are "
                    f"{sorted(set(self._stages.values()))}. Received: {stage!r}"
                )
        return layers + [
            place.layer
            for place in self.places
            if self._stages[id(place.layer)] in stages
        ]

    def _getting_lap(self, address, layers):
        """Those of the layers at an address that get LAP."""
        places = {id(place.layer) for place in self.places}
        getting = [layer for layer in layers if id(layer) in places]
        if not getting:
            reasons = {
                id(entry.layer): entry.reason
                for entry in self._entries
                if not isinstance(entry, Place)
            }
            # Of calls of one layer that stays, one tells why.
            original = self.graph.original_of(layers[0])
            reason = reasons.get(id(layers[0])) or reasons.get(
                id(original), "no rule is for a layer of its kind"
            )
            hint = ""
            if id(layers[0]) in self._skipped:
                hint = ". What was left out of a plan comes back with a new one."
            raise ValueError(
                f"Expected addresses of layers that get LAP. Received: {address!r}, "
                f"which stays: {reason}{hint}"
            )
        return getting

    def _leave(self, layers, reason):
        skipped = {**self._skipped, **{id(layer): reason for layer in layers}}
        return self._edit(self._review, _skipped=skipped)

    def _edit(self, follow, **state):
        """Changes the plan and what follows from it, or leaves all as it was."""
        before = dict(vars(self))
        try:
            vars(self).update(state)
            follow()
            check_gates(self)
        except BaseException:
            vars(self).update(before)
            raise
        return self

    def _settings_of(self, layer):
        return self._settings.get(id(layer), {})

    def _review(self):
        """Asks the rules anew."""
        self._entries = find_places(
            self.graph, self.where, self._skipped, self.keep_max
        )
        self._reaches = {
            id(place.layer): self._costs.reach(place) for place in self.places
        }
        self._stages = {key: reach.stage for key, reach in self._reaches.items()}
        self._fill()

    def _fill(self):
        """Settles the options of all LAP layers; the table is made once it is read."""
        self._lap_options = self._options_of_all()
        self._rows = None

    def _options_of_all(self):
        """Dict from ids of the layers that LAP layers are made for to options."""
        sources = {
            id(lap.source): lap.source
            for lap in (place.rewrite.lap for place in self.places)
        }
        stages = [self._stages[key] for key in sources]
        counts = automatic_concepts(self.graph, list(sources.values()), stages)
        return {
            key: with_score_gain(
                {"concepts": count, **self._options, **self._settings_of(source)}
            )
            for (key, source), count in zip(sources.items(), counts, strict=True)
        }

    def _row(self, entry):
        address, kind = "/".join(entry.path), type(entry.layer).__name__
        if not isinstance(entry, Place):
            return PlanRow(address, kind, reason=entry.reason)
        part, reach = entry.rewrite.lap, self._reaches[id(entry.layer)]
        lap = part.new_layer(**self.options_of(part))
        has_scores = lap.scores != "features"
        return PlanRow(
            address,
            kind,
            action=entry.rewrite.action,
            lap="/".join((*entry.path[:-1], part.name)),
            window=lap.pool_size,
            stride=lap.strides,
            stage=reach.stage,
            receptive_field=reach.field,
            concepts=lap.concepts,
            detach_scores=lap.detach_scores if has_scores else None,
            score_gain=lap.score_gain if has_scores else None,
            cost=self._costs.added(entry, lap, counts_lap=part.source is entry.layer),
        )


def _check_one_by_one(addresses):
    for address in addresses:
        if isinstance(address, list):
            raise TypeError(
                "Expected addresses one by one, as in `plan.skip(*names)`. Received: a "
                f"list, {address!r}"
            )
