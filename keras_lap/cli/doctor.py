"""`keras-lap doctor`."""

from keras_lap.cli.command import Command
from keras_lap.doctor import doctor


class Doctor(Command):
    """Prints what `keras_lap.doctor` finds."""

    name = "doctor"
    summary = "tell which implementation of the pooling runs where, and why"
    details = "Shows versions and devices too, and tries the pooling once."
    examples = ("keras-lap doctor",)

    def add_arguments(self, parser):
        """There are none."""

    def run(self, options):
        for what, state in doctor():
            print(f"{what + ':':<15} {state}")
