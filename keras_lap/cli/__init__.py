"""The command `keras-lap`: a file per command, and what they share.

Keras comes with the library. What else is heavy is imported by the command that needs
it, when it runs.
"""

from keras_lap.cli.main import main

__all__ = ["main"]
