"""`keras-lap convert`."""

import pathlib

import keras_lap
from keras_lap.cli.command import Command
from keras_lap.cli.model_argument import add_model_argument, read_model
from keras_lap.cli.new_file import add_force_argument, new_file
from keras_lap.cli.plan_arguments import add_plan_arguments, plan_options


class Convert(Command):
    """Writes a model with LAP layers to a file."""

    name = "convert"
    summary = "put LAP layers into a network without changing what it computes"
    details = (
        "The file written is to be trained on, where keras_lap.callbacks.GateAnneal "
        "opens the gates of the LAP layers. It is not compiled."
    )
    examples = (
        "keras-lap convert model.keras -o lap/model.keras",
        "keras-lap convert MobileNet --weights none --where all --concepts 1 "
        "-o mobilenet.keras",
    )

    def add_arguments(self, parser):
        add_model_argument(parser)
        parser.add_argument(
            "-o", "--output", required=True, metavar="OUT", help="the .keras file"
        )
        add_force_argument(parser)
        add_plan_arguments(parser)

    def run(self, options):
        output = pathlib.Path(options.output)
        if output.suffix != ".keras":
            raise ValueError(
                f"Expected OUT to be a file that ends in .keras. Received: {output}"
            )
        with new_file(output, options.force) as path:
            model = read_model(options.model, options.weights)
            plan = keras_lap.plan(model, **plan_options(options))
            keras_lap.convert(model, plan).save(path)
        print(plan)
        print(f"Written to {output}")
