"""A model as one graph of calls, and where its maps lie in the image."""
