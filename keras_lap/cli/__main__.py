"""Lets `python -m keras_lap.cli` be the command `keras-lap`."""

import sys

from keras_lap.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
