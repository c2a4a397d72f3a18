"""A piece of the study that is computed by itself."""

import re
from dataclasses import dataclass

TRAIN, EXPLAIN, COST = "train", "explain", "cost"


@dataclass(frozen=True)
class Cell:
    """One network trained, or the explanations of two networks, or what they cost.

    Attributes:
        kind: `"train"`, `"explain"` or `"cost"`.
        set: Name of the data set.
        family: Name of the family of networks.
        seed: Seed of weights, order and knowledge.
        arm: Name of the arm; of the LAP network, where two are compared.
    """

    kind: str
    set: str
    family: str
    seed: int
    arm: str

    @classmethod
    def of_row(cls, row):
        """The cell that a row of results is of, whose fields may be text."""
        kind, name, family, seed, arm = (row[field] for field in FIELDS[:5])
        return cls(kind, name, family, int(seed), arm)

    @property
    def name(self):
        """Name in file names and tables, different from that of any other cell."""
        parts = (self.kind, self.set, self.family, str(self.seed), self.arm)
        return "-".join(re.sub(r"\W+", "_", part).strip("_") for part in parts)

    def row(self, explainer="", metric="", value=None, **changes):
        """What was found, as a row of the table of results."""
        fields = {field: getattr(self, field) for field in FIELDS[:5]}
        found = {"explainer": explainer, "metric": metric, "value": value}
        return fields | found | changes


FIELDS = ("kind", "set", "family", "seed", "arm", "explainer", "metric", "value")
