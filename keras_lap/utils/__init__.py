"""Helpers of several packages, which know none of them."""
