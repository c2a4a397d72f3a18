"""Which change of a probability is more than rounding."""

import numpy as np

# Near 1, float32 has steps of half an eps, and the sums of a softmax add a few of them.
LEAST_CHANGE = 8 * float(np.finfo("float32").eps)
