"""Image files: which there are, of which class, and what is in one."""
