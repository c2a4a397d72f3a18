"""`keras-lap evaluate`."""

import argparse
import dataclasses
import pathlib

import numpy as np

import keras_lap
from keras_lap.classifier.gives_logits import gives_logits
from keras_lap.classifier.image_input import ImageInput
from keras_lap.classifier.standardize_masks import standardize_masks
from keras_lap.cli.command import Command
from keras_lap.cli.explainer_arguments import (
    add_explainer_arguments,
    concept_of_each_class,
    explainers_of,
)
from keras_lap.cli.model_argument import (
    add_model_argument,
    check_model_argument,
    read_model,
)
from keras_lap.cli.new_file import add_force_argument, new_file
from keras_lap.cli.positive import positive
from keras_lap.cli.preprocessing import add_preprocessing_argument, preprocessing
from keras_lap.cli.read_data import check_data, read_data
from keras_lap.cli.verbosity import verbosity
from keras_lap.evaluation.outputs import class_scores
from keras_lap.explanation import Explanation
from keras_lap.explanation.matplotlib_module import matplotlib_module
from keras_lap.graph.lap_layers import lap_layers
from keras_lap.report.write_page import write_page
from keras_lap.surgery.concepts import MOST_CLASSES_EVERYWHERE
from keras_lap.utils.class_concepts import class_concept_flags
from keras_lap.utils.evenly_spaced import evenly_spaced
from keras_lap.utils.names import some_of_many
from keras_lap.utils.warn import warn

# That many classes are named in a line.
_NAMED = 20
# That many images are explained in the report, evenly spaced.
_SHOWN = 500
_ALL_CONCEPTS = "LAP, all concepts"


class Evaluate(Command):
    """Writes what `keras_lap.evaluation.compare` finds to a report."""

    name = "evaluate"
    summary = "measure how valid and faithful explanations are, and write a report"
    details = (
        "The maps of LAP are compared with those of other explainers on the same "
        "network, and on --original. The report is one HTML file with figures, curves "
        "and a gallery."
    )
    examples = (
        "keras-lap evaluate lap.keras data.npz --report report.html",
        "keras-lap evaluate lap.keras pictures --report out/few.html --csv out/few.csv "
        "--explainers LAP GradCAM Random --metrics pointing_game insertion --samples 4",
        "keras-lap evaluate lap.keras data.npz --original model.keras "
        "--report both.html --explainers LAP GradCAM --metrics energy_in_mask",
    )

    def add_arguments(self, parser):
        add_model_argument(parser)
        parser.add_argument(
            "data",
            metavar="DATA",
            help="an .npz file with arrays image, label, and mask or boxes; or a "
            "folder with a folder of images per class, and possibly their masks in "
            "folders of the same names in a folder masks; or tfds:NAME/CONFIG:SPLIT",
        )
        parser.add_argument(
            "--report", required=True, metavar="OUT", help="the HTML file"
        )
        parser.add_argument(
            "--csv", metavar="FILE", help="write the figures to a CSV file as well"
        )
        add_force_argument(parser)
        parser.add_argument(
            "--original",
            metavar="MODEL",
            help="the network before LAP was put into it; its explainers are a "
            "second protocol, LAP in the one against others in the other",
        )
        add_explainer_arguments(parser)
        parser.add_argument(
            "--classes",
            nargs="+",
            metavar="NAME",
            help="names of the classes in the order of the network's outputs; of a "
            "folder those of its folders (default: these in alphabetical order)",
        )
        parser.add_argument(
            "--metrics",
            nargs="+",
            metavar="NAME",
            help="names of functions of keras_lap.evaluation (default: all that the "
            "data allow and that do not take long)",
        )
        parser.add_argument(
            "--targets",
            type=_target,
            default="predicted",
            metavar="predicted|label|CLASS",
            help="what maps are made for: the predicted class, the label, or one class "
            "in all images, by its number (default: %(default)s)",
        )
        parser.add_argument(
            "--baseline",
            nargs="+",
            type=_baseline,
            metavar="VALUE",
            help="what metrics put in the place of what they remove: a number or one "
            "per channel, in the range that the network takes, or blur (default: 0, "
            "and blur for insertion)",
        )
        parser.add_argument(
            "--samples",
            type=positive,
            metavar="N",
            help="how many images to take: evenly spaced, but of tfds the first ones "
            "(default: all)",
        )
        parser.add_argument("--title", help="heading of the report")
        add_preprocessing_argument(parser)
        parser.add_argument(
            "--data-dir", metavar="FOLDER", help="of TensorFlow Datasets"
        )
        parser.add_argument("--batch", type=positive, default=32, help="batch size")
        parser.add_argument(
            "--seed", type=int, default=0, help="of what is drawn at random"
        )

    def run(self, options):
        matplotlib_module("matplotlib")  # Draws the report in the end.
        check_data(options.data)
        for model in (options.model, options.original):
            if model is not None:
                check_model_argument(model)
        _check_distinct(options.report, options.csv)
        with new_file(options.report, options.force) as report:
            # What took hours is there whatever becomes of the report.
            with new_file(options.csv, options.force) as table:
                models, data, images, comparison = _evaluate(options)
                if table is not None:
                    comparison.to_csv(table)
            print(comparison, flush=True)
            if table is not None:
                print(f"Written to {options.csv}", flush=True)
            shown = _to_show(comparison, data)
            write_page(
                report,
                _gallery(options, models, data, images, comparison, shown),
                len(shown),
                comparison=comparison,
                title=options.title
                or f"{pathlib.Path(options.model).name}, {options.data}",
                origin=(data.total, data.indices[shown]),
            )
        print(f"Written to {options.report}")


def _check_distinct(report, table):
    if table and pathlib.Path(report).resolve() == pathlib.Path(table).resolve():
        raise ValueError(
            f"Expected --report and --csv to be different files. Received: {report}"
        )


def _to_show(comparison, data):
    """The indices of the images that the report shows, evenly spaced.

    Nothing is to be shown of a prediction that is no number.

    Raises:
        ValueError: If there is no other.
    """
    finite = [np.isfinite(each).all(axis=-1) for each in comparison.outputs.values()]
    is_finite = np.all(finite, axis=0)
    if not is_finite.any():
        raise ValueError(
            "Expected finite predictions, for the gallery of the report. Received: NaN "
            "or infinite ones for every image. Look at the weights, and at the pixels "
            "that the network takes (--preprocess)."
        )
    if not is_finite.all():
        left_out = some_of_many(data.indices[~is_finite], _NAMED)
        warn(
            f"The report is without {(~is_finite).sum()} of {len(is_finite)} images, "
            f"whose predictions are NaN or infinite: {left_out}, counted from 0."
        )
    known = np.flatnonzero(is_finite)
    return known[evenly_spaced(len(known), _SHOWN)]


def _evaluate(options):
    """Models by name, the `Data`, its images as they take them, and the comparison."""
    models = {"model": read_model(options.model, options.weights)}
    if options.original:
        models["original"] = read_model(options.original, options.weights)
    taken = ImageInput.of(models["model"])
    settings = {"batch_size": options.batch, "data_format": taken.data_format}
    explainers = explainers_of(options, models["model"], **settings)
    data = read_data(
        options.data, taken, options.samples, options.data_dir, options.classes
    )
    _print_data(data)
    preprocess = preprocessing(options.model, options.preprocess)
    if preprocess is None and options.preprocess is None and options.original:
        _warn_of_raw_pixels(options.original)
    images = data.arrays["image"]
    if preprocess is not None:
        # Some of it is for channels in the last place.
        images = taken.first(preprocess(taken.last(images)))
    # Hours later it would be too late to say that something does not fit.
    if data.class_names is not None:
        for name, model in models.items():
            count = _count_classes(options, model, images)
            _check_names(name, count, data.class_names)
    if concept_of_each_class(options):
        _check_class_concepts(options, models["model"], images)
    comparison = keras_lap.evaluation.compare(
        models["model"],
        {**data.arrays, "image": images},
        explainers,
        metrics=options.metrics,
        original=models.get("original"),
        seed=options.seed,
        targets=options.targets,
        baseline=_one_or_several(options.baseline),
        verbose=verbosity(),
        **settings,
    )
    return models, data, images, comparison


def _target(text):
    """What maps are made for, for `argparse`."""
    if text not in ("predicted", "label") and not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"Expected predicted, label or the number of a class. Received: {text!r}"
        )
    return int(text) if text.isdecimal() else text


def _baseline(text):
    """What is put in the place of pixels, for `argparse`."""
    try:
        return text if text == "blur" else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"Expected numbers, or blur. Received: {text!r}"
        ) from None


def _one_or_several(values):
    return values[0] if values and len(values) == 1 else values


def _print_data(data):
    """Which name is which class, and how many images have a mask."""
    if data.class_names is not None:
        named = (f"class {at}: {name}" for at, name in enumerate(data.class_names))
        print(some_of_many(named, _NAMED), flush=True)
    if "mask" in data.arrays:
        has_mask = [mask.any() for mask in data.arrays["mask"]]
        print(f"masks for {sum(has_mask)} of {len(has_mask)} images", flush=True)


def _warn_of_raw_pixels(original):
    if preprocessing(original) is not None:
        warn(
            f"{original} was trained on images that were preprocessed, but MODEL is a "
            "file, so both networks get pixels in [0, 255]. Say what both take by "
            "--preprocess."
        )


def _count_classes(options, model, images):
    # A batch like those of `compare`, which is not traced anew then.
    return class_scores(model, images[: options.batch], options.batch).shape[-1]


def _check_class_concepts(options, model, images):
    concepts = _most_concepts(model)
    if concepts:
        class_concept_flags(
            np.array(concept_of_each_class(options)),
            _count_classes(options, model, images),
            concepts,
            of="the model",
        )


def _check_names(name, count, names):
    if len(names) != count:
        raise ValueError(
            f"Expected a folder or name for each of the {count} classes of the {name}. "
            f"Received: {names}"
        )


def _most_concepts(model):
    """The most concepts that a LAP layer scores; 0 where none does."""
    scoring = (layer for layer in lap_layers(model) if layer.head is not None)
    return max((layer.concepts for layer in scoring), default=0)


def _gallery(options, models, data, images, comparison, shown):
    """Explanations by name: those of LAP with all concepts, if they are not many.

    `shown` are the indices of the images that are explained.
    """
    model = models["model"]
    pictures = ImageInput.of(model).last(data.arrays["image"][shown])
    facts = {
        "images": pictures,
        "labels": data.arrays["label"][shown],
        "class_names": data.class_names,
        "files": data.files and [data.files[at] for at in shown],
    }
    if "mask" in data.arrays:
        masks = data.arrays["mask"][shown]
        # One per class, where there are several.
        speaks = np.eye(masks.shape[-1], dtype=bool)
        facts["masks"] = standardize_masks(
            masks, pictures.shape[1:3], facts["labels"], speaks
        )
    gallery = {}
    if 0 < _most_concepts(model) <= MOST_CLASSES_EVERYWHERE:
        try:
            explained = keras_lap.explain(
                model,
                images[shown],
                batch_size=options.batch,
                class_names=data.class_names,
                class_concepts=concept_of_each_class(options),
                verbose=verbosity(),
            )
        except Exception as error:
            warn(
                f"The report is without {_ALL_CONCEPTS!r}, which failed: "
                f"{type(error).__name__}: {error}"
            )
        else:
            gallery[_ALL_CONCEPTS] = dataclasses.replace(
                explained, predictions=comparison.outputs["model"][shown], **facts
            )
    for (name, explainer), maps in comparison.maps.items():
        title = explainer if name == "model" else f"{explainer}, {name}"
        gallery[title] = Explanation(
            maps[shown, ..., None],
            predictions=comparison.outputs[name][shown],
            from_logits=gives_logits(models[name]),
            concept_names=["class explained"],
            **facts,
        )
    if not gallery:
        raise ValueError(
            "Expected an explainer that makes maps, for the gallery of the report. "
            "Received: none. The table says why each failed."
        )
    return gallery
