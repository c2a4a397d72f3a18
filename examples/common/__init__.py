"""What examples share, and what they draw."""
