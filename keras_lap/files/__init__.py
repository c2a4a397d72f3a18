"""Image files: which there are, of which class, what is in them, and reading them."""
