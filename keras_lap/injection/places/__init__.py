"""Where maps, masks and labels lie on each other."""
