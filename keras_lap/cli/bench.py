"""`keras-lap bench`."""

from keras_lap.cli.command import Command
from keras_lap.cli.new_file import add_force_argument, new_file
from keras_lap.cli.pooling_shapes import POOLING_SHAPES
from keras_lap.cli.positive import positive
from keras_lap.cli.time_pooling import time_pooling
from keras_lap.utils.paired_rounds import QUARTILES
from keras_lap.utils.write_csv import write_csv

FIELDS = ("pooling", "pass", "max_pooling_ms", "la_pool_ms", *QUARTILES)
_LINE = "{:<24}{:<20}{:>13}{:>13}{:>10}{:>18}".format
_TITLES = ("pooling", "pass", "max pool, ms", "la_pool, ms", "ratio", "quartiles")


class Bench(Command):
    """Prints what `la_pool` costs here, next to max pooling."""

    name = "bench"
    summary = "time la_pool against max pooling on this machine"
    details = (
        "Both are called in turn, and compared round by round: the ratio is the "
        "median over the rounds, above 1 where la_pool takes longer."
    )
    examples = ("keras-lap bench --shapes 1 --batch 1 --rounds 3 --csv bench.csv",)

    def add_arguments(self, parser):
        for name, default, text in (
            ("batch", 8, "number of images"),
            ("rounds", 15, "number of rounds"),
            ("shapes", len(POOLING_SHAPES), "how many poolings of known networks"),
        ):
            parser.add_argument(
                f"--{name}",
                type=positive,
                default=default,
                help=f"{text} (default: %(default)s)",
            )
        parser.add_argument("--csv", metavar="FILE", help="write a CSV file as well")
        add_force_argument(parser)

    def run(self, options):
        with new_file(options.csv, options.force) as path:
            rows = _print_timings(options)
            if path is not None:
                write_csv(path, FIELDS, rows)


def _print_timings(options):
    """Prints timings as they come, and returns them as rows of numbers."""
    print(_LINE(*_TITLES))
    rows = []
    shapes = POOLING_SHAPES[: options.shapes]
    for timing in time_pooling(shapes, options.batch, options.rounds):
        name = "forward, backward" if timing.gradient else "forward"
        milliseconds = 1e3 * timing.max_pooling, 1e3 * timing.la_pool
        lower, median, upper = timing.ratio
        rows.append((timing.shape.name, name, *milliseconds, lower, median, upper))
        print(
            _LINE(
                timing.shape.name,
                name,
                *(f"{number:.2f}" for number in (*milliseconds, median)),
                f"{lower:.2f} to {upper:.2f}",
            ),
            flush=True,
        )
    return rows
