"""What a wheel of this project holds."""

import pathlib
import tomllib

ROOT = pathlib.Path(__file__).parent.parent
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())
MNIST = {
    "LICENSE",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
}


def packaged():
    """Returns what is no source of the files that the configuration takes into a wheel."""
    globs = CONFIGURATION["tool"]["setuptools"]["package-data"]
    return {
        path
        for package, listed in globs.items()
        for pattern in listed
        for path in (ROOT / package.replace(".", "/")).glob(pattern)
    }


def test_a_wheel_holds_every_file_of_the_packages():
    found = CONFIGURATION["tool"]["setuptools"]["packages"]["find"]
    assert found == {"include": ["tfvae*", "pipelines*"]}
    there = {
        path
        for package in ("tfvae", "pipelines")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    sources = {path for path in there if path.suffix == ".py"}
    assert packaged() == there - sources


def test_mnist_is_in_the_wheel_with_its_licence():
    folder = ROOT / "tfvae/datasets/data/mnist"
    assert {path.name for path in packaged() if path.parent == folder} == MNIST
    project = CONFIGURATION["project"]
    assert set(project["license-files"]) == {"LICENSE", "tfvae/datasets/data/mnist/LICENSE"}
    assert all((ROOT / name).is_file() for name in project["license-files"])
    assert "CC-BY-SA-3.0" in project["license"]
