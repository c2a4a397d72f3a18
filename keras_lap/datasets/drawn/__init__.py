"""What the data sets that need no download are drawn by."""
