"""How the step of a compiled model may run."""

import keras

EAGER = {"run_eagerly": True}
# A step that is traced once: on JAX there is none that is not compiled as well.
GRAPH = {"jit_compile": keras.config.backend() == "jax"}
# The step that takes least: on JAX each operation of an eager one is compiled.
CHEAP = GRAPH if keras.config.backend() == "jax" else EAGER
