"""`keras-lap build`."""

from keras_lap.cli.command import Command
from keras_lap.kernels.build import build


class Build(Command):
    """Compiles the TensorFlow op."""

    name = "build"
    summary = "compile the TensorFlow op for the TensorFlow that is installed"
    details = (
        "Takes a C++ compiler. Without the op everything runs too, in plain Keras."
    )
    examples = ("keras-lap build", "keras-lap build --force")

    def add_arguments(self, parser):
        parser.add_argument(
            "--force", action="store_true", help="compile although nothing changed"
        )

    def run(self, options):
        build(force=options.force)
