"""Draws the pictures of docs/metrics: what each metric says of maps that are known.

Run it from anywhere: python examples/what_each_metric_measures.py
"""

import argparse
import importlib
import pathlib

# Each is a module of metric_pictures with a function `draw()` that returns a figure.
METRICS = (
    "pointing_game",
    "energy_in_mask",
    "iou_over_thresholds",
    "iou_at_equal_area",
    "box_localisation",
    "sparsity",
    "complexity",
    "insertion",
    "deletion",
    "average_drop",
    "increase_in_confidence",
    "average_gain",
    "mu_fidelity",
    "road",
    "parameter_randomisation",
    "random_label_control",
    "stability",
)
FOLDER = pathlib.Path(__file__).parent.parent / "docs" / "metrics"


def main(arguments=None):
    """Writes one PNG file per metric."""
    options = parse(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    for name in options.only or METRICS:
        figure = importlib.import_module(f"metric_pictures.{name}").draw()
        figure.savefig(options.folder / f"{name}.png", dpi=options.dpi)


def parse(arguments):
    """Reads the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=METRICS, help="metrics to draw")
    parser.add_argument("--folder", type=pathlib.Path, default=FOLDER)
    parser.add_argument("--dpi", type=int, default=90, help="pixels per inch")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
