"""Nothing is known but the class of each image, and the maps get sharper all the same.

A small network with LAP layers learns digits in clutter, once as ever and once with
`Presence`, which says that the class of the image is somewhere, but not everywhere, and
that the other classes are nowhere. No mask is shown to it. Scores start high in the
first network, which would not learn otherwise, and low in the second.
"""

from common.digit_tools import compare, load_data, parse_arguments, train

from keras_lap.callbacks import KnowledgeInjection
from keras_lap.losses import Presence


def main(arguments=None, config="clutter"):
    """Trains the networks, prints the table and writes the figure.

    Args:
        arguments: Command line, by default that of the process.
        config: Configuration of the data set.
    """
    arguments = parse_arguments(__doc__, "labels_only", arguments)
    data = load_data(arguments.data_dir, config, ("train", "test"), arguments.train)
    split, labels, epochs = data["train"], data["train"]["label"], arguments.epochs
    presence = KnowledgeInjection([Presence()], weights=0.1)
    models = {
        "labels": train(split, labels, epochs),
        "labels, Presence": train(split, labels, epochs, presence),
    }
    compare(models, ["labels"], data["test"], arguments.figure)


if __name__ == "__main__":
    main()
