"""Reads the command line and runs one of the commands."""

import argparse
import sys
import warnings

import keras_lap
from keras_lap.cli.bench import Bench
from keras_lap.cli.build import Build
from keras_lap.cli.convert import Convert
from keras_lap.cli.doctor import Doctor
from keras_lap.cli.evaluate import Evaluate
from keras_lap.cli.explain import Explain
from keras_lap.cli.plan import Plan

COMMANDS = (Doctor(), Build(), Plan(), Convert(), Explain(), Evaluate(), Bench())

# What says enough without the name of its type.
_EXPECTED = (ValueError, TypeError, OSError, ImportError, RuntimeError)


def main(arguments=None):
    """Runs the command.

    Args:
        arguments: List of strings; those of the process by default.

    Returns:
        Exit status: 0, or 1 after a failure that has been told on standard error, or
        130, as shells have it, after an interrupt from the keyboard.

    Raises:
        SystemExit: With status 2 if the command line is wrong, which has been told on
            standard error, and with 0 after `--help` and `--version`.
        Exception: Whatever made the command fail, with `--debug`.
    """
    options = _parser().parse_args(arguments)

    def tell(message):
        print(f"keras-lap {options.command.name}: {message}", file=sys.stderr)

    told = set()

    def tell_once(warning, *place, **more):
        if str(warning) not in told:
            tell(warning)
        told.add(str(warning))

    with warnings.catch_warnings():
        if not options.debug:
            warnings.showwarning = tell_once
        try:
            options.command.run(options)
        except Exception as error:
            if options.debug:
                raise
            tell(_told(error))
            return 1
        except KeyboardInterrupt:
            tell("interrupted")
            return 130
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-lap",
        description="Local Attention Pooling for Keras: put it into a network, explain "
        "and evaluate what the network does, and examine the installation.",
        epilog="`keras-lap COMMAND --help` shows examples. The exit status is 0, or 1 "
        "after a failure, or 2 if the command line is wrong.",
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {keras_lap.__version__}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        subparser = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.description(),
            epilog=command.epilog(),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(subparser)
        subparser.add_argument(
            "--debug",
            action="store_true",
            help="show where failures and warnings come from",
        )
        subparser.set_defaults(command=command)
    return parser


def _told(error):
    if isinstance(error, _EXPECTED) and str(error):
        return str(error)
    return f"{type(error).__name__}: {error} (--debug shows where)"
