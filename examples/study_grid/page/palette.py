"""What the figures have in common."""

# Okabe and Ito's colours, which are told apart with any kind of colour vision.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P")
# Inches, and points of the small text: readable at 800 pixels.
WIDTH, SMALL, DPI = 8.0, 7.5, 110
