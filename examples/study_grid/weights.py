"""What counts how much in the loss of a network that is told more than labels."""

# The weight of each loss of a way of telling, or one for all, where all images of a
# batch are told of. With fewer, each counts for more.
WEIGHTS = {
    "labels": 0.1,
    "masks": 4.0,
    "masks outside": 4.0,
    "boxes": 4.0,
    "attributes": 1.0,
    "attributes + absence": (1.0, 0.3),
    "areas": 10.0,
    "consistency + labels": 0.1,
    "necessity + areas": 0.1,
    "sufficiency + areas": 0.1,
    "RRR": 1000.0,
    "GAIN": 10.0,
}
