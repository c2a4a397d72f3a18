"""Losses, each a way to say what one knows."""
