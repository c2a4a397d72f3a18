"""A network with ImageNet's weights explains your photos, and needs no labels for it.

    python examples/imagenet_photos.py holiday/ dog.jpg --network ResNet50V2

Without files it takes two photos that come with scikit-learn. The network is converted,
which changes none of its answers. But the scores of a fresh conversion have learned
nothing: they let nearly everything through, and their maps are nearly even. Here they
learn from the network itself. It is frozen and names many random crops of the photos;
its Grad-CAM of these names is the mask by which `MaskSupervision` teaches the scores,
while the gates open. Unlike Grad-CAM, which is computed behind the network's back, the
map then says what the network gets to see. The price is printed: how often other crops
of the same photos still get the same names, and what maps alone leave of them.

The network's reasons are shown, right or wrong: a map that lies beside the object is
news about the network. Labels alone would not do. `Presence` may settle on what is next
to the object, since frozen features do not change. To teach better reasons, by masks of
your own, see docs/conversion.md.
"""

import argparse
import pathlib
from importlib import resources

import keras
import numpy as np
from common.application_network import application_network
from common.save_without_optimizer import save_without_optimizer

import keras_lap
from keras_lap.callbacks import GateAnneal, KnowledgeInjection
from keras_lap.evaluation import compare
from keras_lap.evaluation.explainers import LAP, CenterGaussian, GradCAM
from keras_lap.files.image_files import image_files
from keras_lap.losses import MaskSupervision

BATCH_SIZE = 16
# One in so many crops is kept back to measure on.
KEPT_BACK = 8


def main(arguments=None):
    """Converts the network, teaches the scores, and writes figure and network.

    Args:
        arguments: Command line, by default that of the process.
    """
    arguments = parse_arguments(arguments)
    keras.utils.set_random_seed(0)
    files = image_files(
        arguments.photos or [resources.files("sklearn.datasets.images")]
    )
    weights = None if arguments.weights == "none" else arguments.weights
    network = application_network(arguments.network, weights, arguments.image_size)
    size = network.input_shape[1:3]
    photos = np.stack([read_photo(file, size) for file in files])
    views = random_views(files, size, arguments.views)

    print("\n== 1. Conversion")
    plan = keras_lap.plan(network, where=arguments.where)
    print(plan)
    model = keras_lap.convert(network, plan)
    answers = network.predict(photos, verbose=0)
    change = np.abs(model.predict(photos, verbose=0) - answers).max()
    print(f"Largest change of an output: {change:.1e}")
    labels = answers.argmax(axis=-1)
    columns = {
        "Grad-CAM": GradCAM().explain(network, photos, labels),
        "LAP, untrained": maps_of(model, photos, labels),
    }

    print("\n== 2. The scores learn from what the network says of crops")
    names = network.predict(views, verbose=0).argmax(axis=-1)
    kept = np.arange(len(views)) % KEPT_BACK == 0
    targets = {"label": names[~kept], "mask": soft_masks(network, views, names)[~kept]}
    teach_scores(model, views[~kept], targets, arguments.epochs)
    columns["LAP, trained"] = maps_of(model, photos, labels)

    print(f"\n== 3. Measured on {kept.sum()} other crops of the same photos")
    found = model.predict(views[kept], verbose=0).argmax(axis=-1)
    print(f"Named as before conversion: {np.mean(found == names[kept]):.3f}")
    for name, maps in columns.items():
        spread = np.ptp(maps, axis=(1, 2)).mean()
        print(f"{name}: on a photo the map varies by {spread:.3f}")
    print(
        compare(
            model,
            {"image": views[kept], "label": names[kept]},
            [LAP(), GradCAM(), CenterGaussian()],
            metrics=["average_drop", "average_gain"],
            verbose=0,
        )
    )

    figure = pathlib.Path(arguments.figure)
    figure.parent.mkdir(parents=True, exist_ok=True)
    keras_lap.draw_maps(
        photos,
        columns,
        captions=class_names(labels, arguments.weights),
        path=figure,
    )
    save_without_optimizer(model, figure.with_suffix(".keras"))
    print(f"Figure written to {figure}. The network explains more photos by")
    print(f"  keras-lap explain {figure.with_suffix('.keras')} PHOTOS")


def parse_arguments(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="*", help="files, and folders of files")
    parser.add_argument(
        "--network", default="MobileNetV2", help="name in keras.applications"
    )
    parser.add_argument(
        "--weights",
        default="imagenet",
        help="imagenet, which Keras downloads once, a file of weights, or none",
    )
    parser.add_argument("--where", default="pooling", choices=["pooling", "all"])
    parser.add_argument("--image-size", type=int, help="by default the network's own")
    parser.add_argument("--views", type=int, default=256, help="number of crops")
    parser.add_argument("--epochs", type=int, default=6, help="over the crops")
    parser.add_argument(
        "--figure", default="results/imagenet_photos.png", help="PNG to write"
    )
    return parser.parse_args(arguments)


def read_photo(file, size):
    """The middle of a photo, uint8 `(*size, 3)`, with its shapes kept."""
    photo = keras.utils.load_img(file, target_size=size, keep_aspect_ratio=True)
    return np.asarray(photo)


def random_views(files, size, count):
    """Random square crops of photos, taken in turn, uint8 `(count, *size, 3)`.

    Their sides are 30 to 100% of the photo's shorter one, so that many show one thing
    alone.
    """
    rng = np.random.default_rng(0)
    views = []
    for file in np.resize(files, count):
        photo = keras.utils.load_img(file)
        side = rng.uniform(0.3, 1) * min(photo.size)
        left, top = (rng.uniform(0, length - side) for length in photo.size)
        box = (left, top, left + side, top + side)
        views.append(np.asarray(photo.resize(size[::-1], box=box)))
    return np.stack(views)


def soft_masks(network, views, names):
    """Grad-CAM of each view's name, as a share of its highest value, `(N, H, W)`."""
    maps = GradCAM(batch_size=BATCH_SIZE).explain(network, views, names)
    highest = maps.max(axis=(1, 2), keepdims=True)
    return np.divide(maps, highest, out=np.zeros_like(maps), where=highest > 0)


def teach_scores(model, views, targets, epochs):
    """Trains the LAP layers alone, and opens their gates in the first half."""
    thaw = keras_lap.freeze_all_but_lap(model)
    steps = epochs * -(-len(views) // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps)
    model.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(
        views,
        targets,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        verbose=2,
        callbacks=[GateAnneal(0, epochs / 2), KnowledgeInjection([MaskSupervision()])],
    )
    thaw()


def maps_of(model, photos, labels):
    """The LAP maps of one class for each photo, `(N, H, W)`."""
    concepts = np.unique(labels).tolist()
    return keras_lap.explain(model, photos, concepts=concepts).of(labels)


def class_names(labels, weights):
    """What ImageNet calls the classes, if Keras was asked to download it."""
    if weights != "imagenet":
        return [f"class {label}" for label in labels]
    decode = keras.applications.imagenet_utils.decode_predictions
    return [name for [(_, name, _)] in decode(np.eye(1000)[labels], top=1)]


if __name__ == "__main__":
    main()
