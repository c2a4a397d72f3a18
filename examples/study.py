"""Does it hold? Accuracy, validity, faithfulness, knowledge, ablations and cost.

Trains networks of three families of Keras Applications on four data sets, with and
without LAP, explains them by a dozen methods, and writes a page of tables and figures.
Every cell of the grid is a process's work of some minutes; what is done is kept, and
the same command goes on where the last one stopped.

    python examples/study.py                      the core grid: hours on two cores
    python examples/study.py --quick              a few minutes; says nothing
    python examples/study.py --seeds 10 --large   more of everything
    python examples/study.py --sets oxford_iiit_pet --questions ABC    by download
    python examples/study.py --export             only the arrays, for a machine
                                                  without TensorFlow
    python examples/study.py --page               only the page, of what is there
    python examples/study.py --adopt              goes on from the rows beside the page

The core grid has some 400 cells. On a machine with a GPU and Keras on JAX or torch,
but without TensorFlow, install the package with the extra `plot`, SciPy, and the
backend for that GPU, copy `results/study/arrays` there after `--export`, and say which
backend it is:

    KERAS_BACKEND=jax python examples/study.py --workers 1

One process for each GPU is enough. Memory is measured on TensorFlow only.
"""

import argparse
import os
import sys


def main(arguments=None):
    """Computes the cells that are missing and writes the page.

    Args:
        arguments: Command line, by default that of the process.

    Returns:
        The number of cells that failed.

    Raises:
        ValueError: If there is no such question, data set or family.
    """
    arguments = parse_arguments(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from study_grid.export_sets import export_sets
    from study_grid.families import FAMILIES
    from study_grid.grid import QUESTIONS, cells
    from study_grid.run import run
    from study_grid.sets import SETS
    from study_grid.sizes import SIZES
    from study_grid.workshop import Workshop

    from keras_lap.utils.names import check_names

    workshop = Workshop(arguments.folder, SIZES[arguments.size])
    sets = arguments.sets or workshop.sizes.sets
    families = arguments.families or workshop.sizes.families
    check_names("letters of questions", arguments.questions, QUESTIONS)
    check_names("names of data sets", sets, SETS)
    check_names("names of families", families, FAMILIES)
    if arguments.adopt:
        from study_grid.page import adopt

        adopt(workshop, arguments.docs)
    if not arguments.page:
        export_sets(workshop, sets, arguments.data_dir)
    failures = {}
    if not (arguments.page or arguments.export):
        chosen = cells(
            arguments.questions,
            sets,
            families,
            range(arguments.seeds),
            workshop.sizes.arms,
        )
        if not chosen:
            print("None of these questions is asked of these sets and families.")
        failures = run(chosen, workshop, arguments.workers)
    if not arguments.export:
        # Only now, since it needs Matplotlib.
        from study_grid.page import write_page

        print(f"Page written to {write_page(workshop, arguments.docs)}")
    for cell, reason in failures.items():
        print(f"{cell.name} {reason}", file=sys.stderr)
    return len(failures)


def parse_arguments(arguments):
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    size = parser.add_mutually_exclusive_group()
    for name, text in (("quick", "tiny, a trial"), ("large", "more of everything")):
        size.add_argument(
            f"--{name}", dest="size", action="store_const", const=name, help=text
        )
    parser.set_defaults(size="core")
    parser.add_argument(
        "--questions",
        default="ABCDEF",
        help="A accuracy, B validity, C faithfulness, D knowledge, E ablations, F cost",
    )
    parser.add_argument("--sets", nargs="+", help="by default those drawn here")
    parser.add_argument("--families", nargs="+", help="by default all")
    parser.add_argument("--seeds", type=int, default=3, help="number of seeds")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count(), help="processes; 1 for a GPU"
    )
    parser.add_argument("--data-dir", help="folder for the data sets")
    parser.add_argument("--folder", help="by default results/study, or study_quick")
    parser.add_argument(
        "--docs",
        help="for the page, by default a folder docs in the other one",
    )
    parser.add_argument("--export", action="store_true", help="only write the arrays")
    parser.add_argument("--page", action="store_true", help="only write the page")
    parser.add_argument(
        "--adopt", action="store_true", help="go on from the page's rows"
    )
    found = parser.parse_args(arguments)
    name = "study" if found.size == "core" else f"study_{found.size}"
    found.folder = found.folder or f"results/{name}"
    found.docs = found.docs or f"{found.folder}/docs"
    return found


if __name__ == "__main__":
    sys.exit(main())
