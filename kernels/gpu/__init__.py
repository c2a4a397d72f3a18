"""Triton kernels of the fused pooling, and what compiles and launches them."""
