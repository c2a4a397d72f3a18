"""`keras-lap plan`."""

import dataclasses

import keras_lap
from keras_lap.cli.command import Command
from keras_lap.cli.model_argument import add_model_argument, read_model
from keras_lap.cli.new_file import add_force_argument, new_file
from keras_lap.cli.plan_arguments import add_plan_arguments, plan_options
from keras_lap.surgery.cost import Cost
from keras_lap.surgery.plan_row import PlanRow
from keras_lap.utils.write_csv import write_csv

FIELDS = [
    field.name
    for field in (*dataclasses.fields(PlanRow), *dataclasses.fields(Cost))
    if field.name != "cost"
]


class Plan(Command):
    """Prints a `ConversionPlan`."""

    name = "plan"
    summary = "show where LAP layers can go in a network, and what they cost"
    details = "Nothing is changed."
    examples = (
        "keras-lap plan MobileNet --where all",
        "keras-lap plan model.keras --skip pool --csv plan.csv",
    )

    def add_arguments(self, parser):
        # Places and costs do not depend on the weights.
        add_model_argument(parser, weights="none")
        add_plan_arguments(parser)
        parser.add_argument(
            "--csv", metavar="FILE", help="write the table to a CSV file as well"
        )
        add_force_argument(parser)

    def run(self, options):
        with new_file(options.csv, options.force) as path:
            model = read_model(options.model, options.weights)
            plan = keras_lap.plan(model, **plan_options(options))
            if path is not None:
                write_csv(path, FIELDS, map(_cells, plan.rows))
        print(plan)


def _cells(row):
    cells = {**vars(row), **vars(row.cost)}
    return [_cell(cells[field]) for field in FIELDS]


def _cell(value):
    if isinstance(value, tuple):
        return "x".join(f"{number:g}" for number in value)
    return value
