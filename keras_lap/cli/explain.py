"""`keras-lap explain`."""

import dataclasses
import math
import re

import keras
import numpy as np

import keras_lap
from keras_lap.classifier.image_input import ImageInput
from keras_lap.classifier.read_pixels import read_pixels
from keras_lap.cli.command import Command
from keras_lap.cli.distinct_names import names_of_files, numbered
from keras_lap.cli.model_argument import (
    add_model_argument,
    check_model_argument,
    read_model,
)
from keras_lap.cli.new_file import add_force_argument, new_folder
from keras_lap.cli.positive import positive
from keras_lap.cli.preprocessing import add_preprocessing_argument, preprocessing
from keras_lap.cli.verbosity import verbosity
from keras_lap.explanation import COMBINATIONS
from keras_lap.explanation.matplotlib_module import matplotlib_module
from keras_lap.files.image_files import image_files

# The shorter side of a PNG, at least, unless --scale says otherwise.
_SIDE = 256


class Explain(Command):
    """Writes what `keras_lap.explain` finds in image files to a folder."""

    name = "explain"
    summary = "draw the concept maps of images"
    details = (
        "Writes a PNG per image, with the map that speaks for the prediction over it, "
        "or one for each of --concepts, and all maps as numbers to explanation.npz, "
        "which keras_lap.explanation.Explanation.load reads."
    )
    examples = (
        "keras-lap explain lap.keras photos -o maps",
        "keras-lap explain lap.keras photos/0.png photos/1.png -o some --concepts 0 2",
        "keras-lap explain lap.keras photos -o deep --combine layer --layers head",
    )

    def add_arguments(self, parser):
        add_model_argument(parser)
        parser.add_argument(
            "images",
            nargs="+",
            metavar="IMAGE",
            help="files, or folders, with the folders in them but for one called masks",
        )
        parser.add_argument(
            "-o", "--output", required=True, metavar="OUT_DIR", help="the folder"
        )
        add_force_argument(parser)
        add_preprocessing_argument(parser)
        parser.add_argument(
            "--size",
            nargs=2,
            type=positive,
            metavar=("HEIGHT", "WIDTH"),
            help="what to resize images to (default: what the network takes)",
        )
        parser.add_argument(
            "--concepts",
            nargs="+",
            type=_index_or_name,
            metavar="CONCEPT",
            help="indices, or names as in --names (default: all in the .npz, and the "
            "strongest of the prediction's in the PNG)",
        )
        parser.add_argument(
            "--names", nargs="+", metavar="NAME", help="of the concepts, in order"
        )
        parser.add_argument(
            "--classes", nargs="+", metavar="NAME", help="of the classes, in order"
        )
        parser.add_argument(
            "--class-concepts",
            nargs="+",
            metavar="K",
            type=int,
            help="the concept that speaks for each class, one number per class "
            "(default: concept k for class k)",
        )
        parser.add_argument(
            "--layers", nargs="+", metavar="LAYER", help="LAP layers (default: all)"
        )
        parser.add_argument(
            "--combine",
            choices=tuple(COMBINATIONS),
            default="flow",
            help="how several layers make one map (default: %(default)s)",
        )
        parser.add_argument(
            "--scale",
            type=positive,
            metavar="N",
            help="how many times to enlarge images in the PNG (default: until the "
            f"shorter side has {_SIDE} pixels)",
        )
        parser.add_argument("--batch", type=positive, default=32, help="batch size")

    def run(self, options):
        matplotlib_module("matplotlib")  # Draws the maps in the end.
        _check_concepts(options)
        files = image_files(options.images)
        check_model_argument(options.model)
        with new_folder(options.output, options.force) as folder:
            explanation = _explain(options, files)
            _write(explanation, options, folder)
        _print(explanation, options.concepts)
        print(f"Written to {options.output}")


def _index_or_name(text):
    return int(text) if text.isdecimal() else text


def _check_concepts(options):
    """Raises a `ValueError` if an index is the name of another concept."""
    names = options.names or options.classes or []
    for concept in options.concepts or []:
        if not isinstance(concept, int) or str(concept) not in names:
            continue
        index = names.index(str(concept))
        if concept != index:
            raise ValueError(
                f"Expected --concepts to be indices, or names that are none. Received: "
                f"{concept}, an index that is the name of {index} as well. Give it "
                "another name, which is no number."
            )


def _explain(options, files):
    model = read_model(options.model, options.weights)
    chosen = {
        "concepts": options.concepts,
        "layers": options.layers,
        "combine": options.combine,
        "batch_size": options.batch,
        "concept_names": options.names,
        "class_names": options.classes,
        "class_concepts": options.class_concepts,
        "verbose": verbosity(),
    }
    preprocess = preprocessing(options.model, options.preprocess)
    if preprocess is None and options.size is None:
        return keras_lap.explain(model, files, **chosen)
    taken = ImageInput.of(model)
    pixels, _ = read_pixels(taken, files, options.size)
    images = pixels if preprocess is None else preprocess(pixels)
    explanation = keras_lap.explain(model, taken.first(images), **chosen)
    return dataclasses.replace(explanation, images=pixels, files=files)


def _write(explanation, options, folder):
    explanation.save(folder / "explanation.npz")
    files = names_of_files(explanation.files)
    drawn = [(None, "")]
    if options.concepts:
        names = [re.sub(r"\W", "_", name) for name in explanation.concept_names]
        endings = [f"_{name}" for name in numbered(names)]
        # By their indices: several may have one name.
        drawn = zip(explanation.concepts, endings, strict=True)
    scale = options.scale or math.ceil(_SIDE / min(explanation.maps.shape[1:3]))
    for concept, ending in drawn:
        for name, picture in zip(files, explanation.overlay(concept), strict=True):
            keras.utils.save_img(
                folder / f"{name}{ending}.png",
                # Not interpolated: pixels and cells of maps can be told apart.
                picture.repeat(scale, axis=0).repeat(scale, axis=1),
                data_format="channels_last",
                scale=False,
            )


def _print(explanation, concepts):
    """A line per image: the predicted class, its output, and what maps are empty."""
    remarks = _remarks(explanation, concepts)
    predicted, outputs = explanation.predicted, explanation.outputs
    for index, (file, remark) in enumerate(
        zip(explanation.files, remarks, strict=True)
    ):
        known = [remark] if remark else []
        if predicted is not None:
            name = explanation.class_name(predicted[index])
            is_broken = np.isnan(outputs[index]).any()
            known.insert(
                0, "no class" if is_broken else f"{name} ({outputs[index].max():.3g})"
            )
        if known:
            print(f"{file}: {', '.join(known)}")


def _remarks(explanation, concepts):
    """For each image what to say of drawn maps that are zero, `""` if none is."""
    if not concepts:
        is_empty = ~(explanation.of() > 0).any(axis=(1, 2))
        return ["nothing above zero" if empty else "" for empty in is_empty]
    is_empty = ~(explanation.maps > 0).any(axis=(1, 2))
    names = np.array(explanation.concept_names)
    return [
        f"nothing above zero for {', '.join(names[row])}" if row.any() else ""
        for row in is_empty
    ]
