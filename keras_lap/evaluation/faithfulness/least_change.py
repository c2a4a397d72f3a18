"""Which change of a probability is more than rounding."""

import numpy as np

# Probabilities near 1 are rounded to half of this eps, and softmax adds some of them.
LEAST_CHANGE = 8 * float(np.finfo("float32").eps)
