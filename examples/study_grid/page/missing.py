"""Which cells of the study are not computed yet."""


def describe(lost, wanted):
    """Says which of the wanted cells are lost, in as few words as possible.

    Args:
        lost: List of `Cell`s.
        wanted: List of `Cell`s, the lost ones among them.

    Returns:
        A list of phrases, such as "`decoy`, ResNet50V2, seed 2" if all arms of a seed
        are lost, or else "`decoy`, ResNet50V2, seed 2: *LAP*".
    """
    return _describe(lost, wanted, _LEVELS, ())


_LEVELS = (
    lambda cell: f"`{cell.set}`",
    lambda cell: cell.family,
    lambda cell: f"seed {cell.seed}",
)


def _describe(lost, wanted, levels, named):
    if len(lost) == len(wanted) and named:
        return [", ".join(named)]
    if not levels:
        arms = "; ".join(f"*{cell.arm}*" for cell in lost)
        return [f"{', '.join(named)}: {arms}"]
    level, found = levels[0], []
    for name in dict.fromkeys(map(level, lost)):
        parts = (
            [cell for cell in cells if level(cell) == name] for cells in (lost, wanted)
        )
        found += _describe(*parts, levels[1:], (*named, name))
    return found
