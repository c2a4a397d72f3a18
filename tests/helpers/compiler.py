"""The C++ compiler that the build takes, for tests that compile."""

from keras_lap.kernels.build import BuildError, find_compiler

try:
    COMPILER, NO_COMPILER = find_compiler().command, None
except BuildError as error:
    COMPILER, NO_COMPILER = None, str(error)
