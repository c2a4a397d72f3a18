"""What a model costs before and after conversion."""

from dataclasses import dataclass

from keras_lap.surgery.cost import Cost


@dataclass(frozen=True)
class Estimate:
    """The cost of one forward pass before and after conversion.

    Attributes:
        batch: Number of images.
        before: `Cost` of the given model.
        after: `Cost` of the converted one.
    """

    batch: int
    before: Cost
    after: Cost

    def __str__(self):
        lines = [f"{'batch of ' + str(self.batch):<20}{'before':>12}{'after':>12}"]
        for name, unit, divisor in (
            ("parameters", "M", 1e6),
            ("multiply_adds", "G", 1e9),
            ("activation_bytes", "MiB", 2**20),
        ):
            before, after = (
                getattr(cost, name) / divisor for cost in (self.before, self.after)
            )
            title = f"{name.removesuffix('_bytes').replace('_', '-')}, {unit}"
            change = f"  ({after / before:.2f}x)" if before else ""
            lines.append(f"{title:<20}{before:>12,.2f}{after:>12,.2f}{change}")
        return "\n".join(lines)
