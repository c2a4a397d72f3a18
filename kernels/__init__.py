"""Native code of the fused pooling, and what builds and launches it."""
