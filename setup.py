"""Build script; the metadata is in pyproject.toml, the compilation in kernels/."""

import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
# A build front end leaves the directory of the project out.
sys.path.insert(0, str(ROOT))

from kernels.build import LIBRARIES, BuildError, build, check_system  # noqa: E402


class BuildWithLibrary(build_py):
    """Compiles the fused op next to the Python files, if that is possible here."""

    def run(self):
        libraries = LIBRARIES
        if not self.editable_mode:
            package = Path(self.build_lib, "keras_lap")
            if package.resolve() != ROOT.resolve() / "keras_lap":
                # An earlier build may have left sources there that are gone since.
                shutil.rmtree(package, ignore_errors=True)
            libraries = package / "kernels" / LIBRARIES.name
        super().run()
        try:
            check_system()
        except BuildError as error:
            self.warn(str(error))
            return
        try:
            build(libraries)
        except BuildError as error:
            self.warn(
                "keras-lap is installed without its fused op; the pooling runs in "
                f"keras.ops. Run `keras-lap build` to try again. {error}"
            )


class WheelOfWhatWasBuilt(bdist_wheel):
    """Tags the wheel with the platform if it holds a library."""

    def get_tag(self):
        if not any(Path(self.bdist_dir).rglob("*.so")):
            return super().get_tag()
        self.root_is_pure = False
        return "py3", "none", super().get_tag()[2]


setup(
    packages=[
        *find_packages(include=["keras_lap*"]),
        *(f"keras_lap.{name}" for name in find_packages(include=["kernels*"])),
    ],
    package_dir={"keras_lap.kernels": "kernels"},
    package_data={
        "keras_lap.kernels": ["*.h", "*/*.h", "*/*.cc"],
        "keras_lap.report": ["page/*"],
    },
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelOfWhatWasBuilt},
)
