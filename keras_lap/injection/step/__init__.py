"""The training step of a model, with the terms of what is known."""
