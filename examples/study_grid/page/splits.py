"""The splits that are shown, and their names."""

from study_grid.sets import SETS


def judged_split(name):
    """The test split of a set without its shortcut, where there is one."""
    return next((each for each in SETS[name].shifted if "test" in each), "test")


def title_of(name, split):
    """The title of the row of a set and a split."""
    measure = ", mAP" if SETS[name].several else ""
    return f"`{name}`{measure}" if split == "test" else f"`{name}`, `{split}`"
