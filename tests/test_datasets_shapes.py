"""Rendered shapes show what their factors say, each combination once, and are drawn when read."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from sources import build, everything, examples, refused

from tfvae.datasets import rendering, scenes
from tfvae.datasets.shapes import Shapes

SMALL = {"size": 16, "scales": 2, "rotations": 3, "positions": 4}


def coverage(name, scale, rotation=0.0, centre=(0.0, 0.0), size=96):
    """Draws one shape, `[size, size]`."""
    rows = (np.array([v], np.float64) for v in (scale, rotation, centre))
    return rendering.coverage((name,), [0], *rows, size)[0]


def test_the_version_of_the_renderer_stands_for_its_pictures():
    # Fingerprints hold the version and no pictures: a change of these raises rendering.VERSION.
    dataset = build("shapes(size=16, shapes=('square', 'ellipse', 'heart'), positions=4, colors=3)")
    rows = np.array([[s, s, 2 * s, 3 * s, 1, s] for s in range(3)])
    pictures = 255 * dataset.render(rows)
    weights = np.arange(16)
    found = [
        [p[..., s].sum(), weights @ p[..., s].sum(axis=0), weights @ p[..., s].sum(axis=1)]
        for s, p in enumerate(pictures)
    ]
    known = {1: [[4114, 26452, 17680], [4460, 28689, 28669], [6350, 45134, 51333]]}
    # A few pixels of an edge may be rounded to the next level on another machine.
    np.testing.assert_allclose(found, known[rendering.VERSION], rtol=2e-3)


@pytest.mark.parametrize("name", rendering.SHAPES)
def test_a_shape_covers_its_area(name):
    shape = rendering.SHAPES[name]
    for scale, rotation in itertools.product((0.25, 0.42), (0.0, 0.4)):
        area = coverage(name, scale, rotation, (0.1, -0.2)).sum() * (2 / 96) ** 2
        # Half a pixel of blur is cut off at corners.
        assert area == pytest.approx(shape.area * scale**2, rel=0.02)


@pytest.mark.parametrize("name", rendering.SHAPES)
def test_a_shape_looks_the_same_after_its_turn_and_not_before(name):
    turn = rendering.SHAPES[name].turn
    still = coverage(name, 0.4)
    np.testing.assert_allclose(coverage(name, 0.4, turn), still, atol=1e-6)
    if turn:
        for share in (0.1, 0.5, 0.9):
            assert np.abs(coverage(name, 0.4, share * turn) - still).max() > 0.5
    else:
        np.testing.assert_allclose(coverage(name, 0.4, 1.0), still, atol=1e-6)


@pytest.mark.parametrize("name", rendering.SHAPES)
def test_a_shape_moves_with_its_centre(name):
    pixel = 2 / 96
    moved = coverage(name, 0.3, 0.2, (5 * pixel, -3 * pixel))
    expected = np.roll(coverage(name, 0.3, 0.2), (-3, 5), axis=(0, 1))
    np.testing.assert_allclose(moved, expected, atol=1e-6)


@pytest.mark.parametrize("name", rendering.SHAPES)
def test_edges_are_a_pixel_wide(name):
    covered = coverage(name, 0.4)
    inside = (covered > 0) & (covered < 1)
    # As many pixels as the edge is long, and no more than two of them side by side.
    assert 80 < inside.sum() < 400
    assert set(np.unique(covered[~inside])) == {0, 1}


@pytest.mark.parametrize("name", rendering.SHAPES)
def test_no_shape_reaches_beyond_the_border(name):
    for rotation in np.linspace(0, 2 * math.pi, 12):
        largest = (name, scenes._SCALES[1], rotation)
        # What the blur of an edge may lose there.
        whole = coverage(*largest).sum()
        assert coverage(*largest, [scenes._REACH] * 2).sum() == pytest.approx(whole, rel=1e-3)


def test_every_combination_is_there_once_and_no_two_pictures_are_alike():
    dataset = Shapes(**SMALL)
    factors = np.concatenate([dataset.factors(split) for split in dataset.splits])
    assert dataset.factor_names == ("shape", "scale", "rotation", "x", "y")
    assert set(map(tuple, factors)) == set(itertools.product(*map(range, (3, 2, 3, 4, 4))))
    assert len(factors) == len(np.unique(everything(dataset), axis=0)) == 3 * 2 * 3 * 4 * 4


def test_an_example_is_the_picture_of_its_factors():
    dataset = build("shapes(size=16, scales=2, rotations=2, positions=2, colors=3)")
    for split in dataset.splits:
        factors = dataset.factors(split)
        np.testing.assert_array_equal(dataset.render(factors), examples(dataset.split(split, 7)))
        np.testing.assert_array_equal(dataset.labels(split), factors[:, 0])


@pytest.mark.parametrize("factor", ["scale", "rotation", "x", "y"])
def test_neighbours_differ_on_the_finest_scale(factor):
    values = scenes.Scene(16, ("square", "ellipse", "heart"), 1, 64, 64, 64)
    for shape, middle in itertools.product(range(3), (0, 31)):
        rows = {name: np.full(64, middle) for name in ("scale", "rotation", "x", "y")}
        pictures = values.draw({**rows, "shape": np.full(64, shape), factor: np.arange(64)})
        steps = np.abs(np.diff(pictures.astype(int), axis=0)).max(axis=(1, 2, 3))
        assert steps.min() > 0


def test_colours_are_the_hues_on_black():
    dataset = build("shapes(size=16, scales=1, rotations=1, positions=2, colors=6)")
    assert dataset.event_shape == (16, 16, 3)
    pictures = dataset.render([[0, color, 0, 0] for color in range(6)])
    np.testing.assert_array_equal(pictures.max(axis=(1, 2)), rendering.hues(6))
    assert len(set(dataset.factor_values["color"])) == 6
    assert pictures[:, 0, 0].max() == 0


def test_nothing_is_drawn_that_is_not_read(monkeypatch):
    drawn = []
    draw = scenes.Scene.draw

    def counting(scene, factors):
        drawn.append(len(next(iter(factors.values()))))
        return draw(scene, factors)

    monkeypatch.setattr(scenes.Scene, "draw", counting)
    dataset = build("shapes(size=64, rotations=20)")  # 377 MB of pictures
    assert dataset.num_examples("train") == 73_728
    assert len(dataset.fingerprint()) == 64
    assert dataset.value_range() == (0, 1)
    assert dataset.factors("test").shape == (9_216, 5)
    assert drawn == []
    next(iter(dataset.blocks(10, 2)))
    assert max(drawn) == 20


def test_the_fingerprint_is_that_of_what_is_drawn(monkeypatch):
    triangle = ("square", "ellipse", "triangle")
    changes: list[dict] = [{}, {"scales": 3}, {"size": 18}, {"shapes": triangle}, {"seed": 1}]
    found = [Shapes(**{**SMALL, **change}).fingerprint() for change in changes]
    monkeypatch.setattr(rendering, "VERSION", rendering.VERSION + 1)
    found.append(Shapes(**SMALL).fingerprint())
    assert len(set(found)) == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("size=15", "`size` is a whole number of pixels, from 16. Received 15."),
        ("scales=65", "`scales` is a number of values from 1 to 64. Received 65."),
        ("positions=0", "`positions` is a number of values from 1 to 64. Received 0."),
        ("shapes=('star',)", "`shapes` are different ones of 'square', 'ellipse'"),
        ("shapes=3", "Received 3."),
        ("shapes=('square', 'square')", "`shapes` are different ones of 'square', 'ellipse'"),
        ("shapes=('disc',)", "A disc looks the same after any rotation."),
        ("positions=64, rotations=64, scales=64", "combine to at most 10,000,000 pictures"),
        ("binarize='yes'", "`binarize` is one of"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    assert message in refused(f"shapes({options})")


@pytest.mark.parametrize("factors", [[[0, 0, 0, 0]], [[0, 0, 0, 0, 4]], [[0.5] * 5], [0] * 5])
def test_factors_of_another_data_set_are_refused(factors):
    with pytest.raises(ValueError, match="whole numbers from 0 on: shape below 3, scale below 2"):
        Shapes(**SMALL).render(factors)


def test_synthetic_data_name_their_factors():
    for kind, names in (("shapes", 5), ("moons", 2), ("mixture", 1), ("linear_gaussian", 2)):
        dataset = build(f"synthetic(kind='{kind}', num=50)")
        assert len(dataset.factor_names) == dataset.factors("train").shape[1] == names
        assert set(dataset.class_factors) <= set(dataset.factor_names)
    assert build("digits").factors("test") is None


def test_a_script_ends_while_pictures_are_being_drawn():
    script = (
        "from tfvae import components; from tfvae.datasets.base import Dataset\n"
        "blocks = iter(components.build(Dataset, 'shapes(size=48)').blocks(100, 2))\n"
        "print(next(blocks).shape)"
    )
    process = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert process.stdout == "(2, 100, 48, 48, 1)\n"
