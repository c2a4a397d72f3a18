"""The command `keras-lap`."""

import argparse
import sys

from keras_lap.doctor import doctor
from keras_lap.kernels.build import BuildError, build


def main(arguments=None):
    """Runs the command.

    Args:
        arguments: List of strings; those of the process by default.

    Returns:
        Exit status: 0, or 1 after a failure that has been told on standard error.
    """
    parser = argparse.ArgumentParser(
        prog="keras-lap",
        description="Local Attention Pooling for Keras: compile the fused pooling, "
        "examine the installation.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    examine = commands.add_parser(
        "doctor", help="tell which implementation of the pooling runs, and why"
    )
    examine.set_defaults(run=_doctor)
    compile_op = commands.add_parser(
        "build", help="compile the TensorFlow op for the TensorFlow that is installed"
    )
    compile_op.add_argument(
        "--force", action="store_true", help="compile although nothing changed"
    )
    compile_op.set_defaults(run=_build)
    options = parser.parse_args(arguments)
    return options.run(options)


def _doctor(options):
    for what, state in doctor():
        print(f"{what + ':':<15} {state}")
    return 0


def _build(options):
    try:
        build(force=options.force)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
