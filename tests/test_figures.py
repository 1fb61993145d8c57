"""Figures: what they show, where, and that they are the same each time."""

import functools
import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tfvae import components, files
from tfvae.evaluation import activity
from tfvae.figures import canvas, gallery, grids, images, latents, panels, queries
from tfvae.figures.base import Figure, FigureError
from tfvae.vae import VAE

IMAGE, VECTOR = (6, 5, 1), (7,)
KINDS = tuple(components.members("figures"))


class FakeDataset:
    """Random data of any shape, with labels or without."""

    spec = "fake"

    def __init__(self, event_shape, num=70, classes=3, splits=("train", "validation", "test")):
        generator = np.random.default_rng(0)
        self.event_shape = event_shape
        self.splits = splits
        # Grey levels, so that a picture of them is exact.
        self.x = (generator.integers(0, 256, (num, *event_shape)) / 255).astype(np.float32)
        self.y = generator.integers(0, classes, num) if classes else None

    def num_examples(self, split):
        assert split in self.splits
        return len(self.x)

    def split(self, name, batch_size):
        assert name in self.splits
        return tf.data.Dataset.from_tensor_slices(self.x).batch(batch_size)

    def labels(self, split):
        assert split in self.splits
        return self.y


@functools.cache
def make_vae(event_shape=IMAGE, latent_size=2, prior="standard_normal"):
    return VAE(
        event_shape, latent_size, network="mlp(hidden=(16,))", likelihood="normal", prior=prior
    )


def build(spec):
    return components.build(Figure, spec)


@pytest.fixture(scope="module")
def vae():
    return make_vae()


@pytest.fixture(scope="module")
def dataset():
    return FakeDataset(IMAGE)


# Tiling and writing.


def test_tile_is_nearly_square_and_keeps_order():
    x = np.arange(9).reshape(9, 1, 1, 1) / 255
    np.testing.assert_array_equal(images.tile(x, padding=0), np.arange(9).reshape(3, 3))


def test_tile_leaves_missing_cells_black():
    np.testing.assert_array_equal(
        images.tile(np.ones([3, 1, 1]), columns=2, padding=1),
        [[255, 0, 255], [0, 0, 0], [255, 0, 0]],
    )


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((4, 3, 2), (6, 4)),
        ((4, 3, 2, 1), (6, 4)),
        ((4, 3, 2, 3), (6, 4, 3)),
        ((4, 3, 2, 4), (6, 4, 4)),
    ],
)
def test_tile_takes_grey_and_colour(shape, expected):
    assert images.tile(np.zeros(shape), columns=2, padding=0).shape == expected


def test_tile_clips():
    np.testing.assert_array_equal(images.tile(np.array([[[-3.0, 0.5, 7.0]]])), [[0, 128, 255]])


@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (4, 3), (0, 3, 3, 1)])
def test_tile_refuses_what_is_no_image(shape):
    with pytest.raises(ValueError, match=r"1 channel .grey., 3 .RGB. or 4 .* Received shape"):
        images.tile(np.zeros(shape))


def test_tile_refuses_nan():
    with pytest.raises(ValueError, match="Received NaN"):
        images.tile(np.full([1, 2, 2], np.nan))


@pytest.mark.parametrize("arguments", [{"columns": 0}, {"padding": -1}])
def test_tile_refuses_a_layout_that_is_none(arguments):
    with pytest.raises(ValueError, match="at least one column and no negative padding"):
        images.tile(np.zeros([1, 2, 2]), **arguments)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 3), (4, 5, 4)])
def test_png_holds_the_array(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images.write_png(array, tmp_path / "a.png", scale=1)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), array)


def test_png_of_a_tiny_picture_is_enlarged_by_nearest_neighbour(tmp_path):
    array = np.array([[0, 255]], np.uint8)
    images.write_png(array, tmp_path / "a.png")
    enlarged = np.asarray(Image.open(tmp_path / "a.png"))
    assert enlarged.shape == (8, 16)
    np.testing.assert_array_equal(enlarged, array.repeat(8, 0).repeat(8, 1))


def test_png_replaces_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    images.write_png(np.zeros([2, 2], np.uint8), path)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(OSError, match="no space"):
        images.write_png(np.ones([2, 2], np.uint8), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("array", [np.zeros([2, 2]), np.zeros([2, 2, 2], np.uint8)])
def test_png_refuses_what_is_no_picture(tmp_path, array):
    with pytest.raises(ValueError, match="A picture is uint8"):
        images.write_png(array, tmp_path / "a.png")


def test_png_refuses_half_a_pixel(tmp_path):
    with pytest.raises(ValueError, match=r"an int of at least 1. Received 0.5"):
        images.write_png(np.zeros([2, 2], np.uint8), tmp_path / "a.png", scale=0.5)


def modules_after(code):
    code += "\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


def test_images_need_numpy_and_pillow_alone():
    loaded = modules_after("import tfvae.figures.images")
    assert not {"tensorflow", "keras", "matplotlib"} & loaded


def test_options_are_checked_without_tensorflow_and_pyplot_is_never_loaded():
    loaded = modules_after(
        "import numpy\n"
        "from tfvae import components\n"
        "from tfvae.figures import grids, panels\n"
        "from tfvae.figures.base import Figure\n"
        "for name in components.members('figures'): components.build(Figure, name)\n"
        "grids.draw(grids.Grid(numpy.zeros([2, 2, 3, 3]), 'title'))\n"
        "panels.draw([panels.Panel(numpy.eye(2), '', '', '')], 'title', 'value')"
    )
    assert "matplotlib.figure" in loaded
    assert not {"tensorflow", "keras", "matplotlib.pyplot"} & loaded


# Activity.


def test_activity_is_the_variance_of_the_posterior_means():
    means = np.random.default_rng(0).normal(size=(1000, 3)) * [0.0, 1.0, 0.05] + [5, 0, 1]
    np.testing.assert_allclose(activity.activity(means), means.var(axis=0))
    assert activity.most_active(means, 3) == [1, 2, 0]


def test_activity_of_codes_far_from_zero_keeps_its_digits():
    # In float32 the mean of such numbers would lose the variance.
    means = np.float32([[4096.0], [4096.25]])
    assert activity.activity(means)[0] == pytest.approx(0.125**2)


# Queries.


def test_written_labels_are_moved_apart():
    axes = canvas.new_figure(100, 100).add_subplot()
    axes.scatter([0, 1], [0, 1])
    places = np.array([[0.5, 0.5], [0.51, 0.5], [0.9, 0.9]])
    moved = latents._spread(axes, places)
    assert np.hypot(*(moved[0] - moved[1])) > 0.9 * latents._APART
    np.testing.assert_array_equal(moved[2], places[2])


def test_codes_do_not_depend_on_the_batches(vae, dataset, monkeypatch):
    whole = queries.codes(vae, dataset, "test")
    monkeypatch.setattr(queries, "_ROWS", 13)
    # Another batch size may add in another order: the last digits of float32.
    np.testing.assert_allclose(queries.codes(vae, dataset, "test"), whole, atol=1e-6)


@pytest.mark.parametrize("num", [1, 70, 1000])
def test_examples_are_the_first_ones(dataset, num):
    np.testing.assert_array_equal(queries.examples(dataset, "test", num), dataset.x[:num])


def test_decode_chunks_any_batch(vae, monkeypatch):
    z = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    expected = vae.likelihood(z).mean()
    monkeypatch.setattr(queries, "_ROWS", 5)
    np.testing.assert_allclose(queries.decode(vae, z), expected, atol=1e-6)


# Grids.


def test_mosaic_is_the_images_pixel_for_pixel(dataset):
    grid = grids.Grid(
        dataset.x[:6].reshape(2, 3, *IMAGE), "title", row_breaks=(1,), column_breaks=(2,)
    )
    picture = grids.mosaic(grid)
    levels = np.rint(255 * dataset.x[..., 0])
    gap = grids._GAP
    assert picture.shape == (6 + gap + 6, 5 + 1 + 5 + gap + 5, 3)
    np.testing.assert_array_equal(picture[:6, :5, 0], levels[0])
    np.testing.assert_array_equal(picture[:6, 6:11, 1], levels[1])
    np.testing.assert_array_equal(picture[6 + gap :, 11 + gap :, 2], levels[5])
    assert (picture[6 : 6 + gap] == 255).all()
    assert (picture[:6, 5] == 0).all()


def test_drawing_holds_the_mosaic_unblurred(dataset):
    grid = grids.Grid(
        dataset.x[:6].reshape(2, 3, *IMAGE),
        "A title that is much longer than the picture below it is wide, by any measure",
        row_labels=("a row with a long label", "b"),
        column_labels=("1", "2", "3"),
        x_label="columns",
        y_label="rows",
    )
    picture = grids.draw(grid)
    mosaic = grids.mosaic(grid).repeat(16, 0).repeat(16, 1)
    windows = np.lib.stride_tricks.sliding_window_view(picture, mosaic.shape)[:, :, 0]
    corners = np.argwhere((windows[:, :, ::20, ::20] == mosaic[::20, ::20]).all(axis=(2, 3, 4)))
    assert any((windows[top, left] == mosaic).all() for top, left in corners)


def test_transparent_images_stand_over_white():
    events = np.zeros([1, 1, 2, 2, 4])
    events[..., :1, :, 3] = 1
    assert grids.mosaic(grids.Grid(events, ""))[..., 0].tolist() == [[0, 0], [255, 255]]


# Every figure.


def check_picture(picture):
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert min(picture.shape[:2]) > 100
    assert len(np.unique(picture)) > 10


@pytest.mark.parametrize("kind", KINDS)
def test_same_bytes_whatever_the_users_settings_which_stay(kind, vae, dataset):
    expected = build(kind).render(vae, dataset, seed=3)
    check_picture(expected)
    with mpl.rc_context({"font.size": 31, "figure.facecolor": "red"}):
        np.testing.assert_array_equal(build(kind).render(vae, dataset, seed=3), expected)
        assert mpl.rcParams["font.size"] == 31


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_draws_vectors(kind):
    check_picture(build(kind).render(make_vae(VECTOR), FakeDataset(VECTOR)))


@pytest.mark.parametrize("event_shape", [(4, 4), (4, 4, 3), (3, 2, 2), (2, 2, 2, 2)])
def test_every_event_shape_is_drawn(event_shape):
    check_picture(build("samples").render(make_vae(event_shape), FakeDataset(event_shape)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("latent_size", [1, 5])
def test_every_figure_draws_every_latent_size(kind, latent_size, dataset):
    check_picture(build(kind).render(make_vae(latent_size=latent_size), dataset))


@pytest.mark.parametrize("kind", KINDS)
def test_every_figure_refuses_an_unknown_split(kind, vae, dataset):
    with pytest.raises(ValueError, match=r"one of train, validation, test .* Received 'tset'"):
        build(kind).render(vae, dataset, split="tset")


def test_refuses_a_data_set_of_another_shape(vae):
    with pytest.raises(ValueError, match=r"shape \(6, 5, 1\). Received .* \(7,\)"):
        build("samples").render(vae, FakeDataset(VECTOR))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("manifold(size=0)", "`size` is a positive int. Received 0"),
        ("samples(rows=2.5)", "`rows` is a positive int. Received 2.5"),
        ("manifold(latents=(0, 1, 2))", "at most 2, from 0 on"),
        ("manifold(latents=())", "distinct indices"),
        ("traversal(latents=(1, 1))", "distinct indices"),
        ("latents(latents=(-1,))", "distinct indices"),
        ("traversal(example=-1)", "`example` is the index of an example"),
        ("manifold(sise=3)", "Did you mean `size`"),
    ],
)
def test_options_out_of_range_are_refused(spec, message):
    with pytest.raises(ValueError, match=message):
        build(spec)


@pytest.mark.parametrize("kind", ["manifold", "traversal", "latents"])
def test_latents_that_the_model_lacks_are_refused(kind, vae, dataset):
    with pytest.raises(FigureError, match=r"0 to 1. Received \(2,\)"):
        build(f"{kind}(latents=(2,))").render(vae, dataset)


# What each figure shows.


def test_reconstructions_alternate_originals_and_reconstructions(vae, dataset):
    grid = build("reconstructions(rows=2, columns=3)").grid(vae, dataset, "test", 0)
    rows = grid.events.reshape(4, 3, *IMAGE)
    np.testing.assert_array_equal(rows[0], dataset.x[:3])
    np.testing.assert_array_equal(rows[2], dataset.x[3:6])
    # The same sums in a batch of another size.
    np.testing.assert_allclose(rows[1], vae(dataset.x[:3]), atol=1e-6)
    np.testing.assert_allclose(rows[3], vae(dataset.x[3:6]), atol=1e-6)
    np.testing.assert_array_equal(
        grids.mosaic(grid)[:6, :5, 0], np.rint(255 * dataset.x[0, ..., 0])
    )


def test_reconstructions_of_a_small_split_are_fewer(vae):
    grid = build("reconstructions").grid(vae, FakeDataset(IMAGE, num=5), "test", 0)
    assert grid.events.shape[:2] == (2, 5)


def test_samples_follow_the_seed_and_no_place_depends_on_their_number(vae, dataset):
    few = build("samples(rows=1, columns=3)").grid(vae, dataset, "test", 4).events
    many = build("samples(rows=2, columns=3)").grid(vae, dataset, "test", 4).events
    other = build("samples(rows=1, columns=3)").grid(vae, dataset, "test", 5).events
    np.testing.assert_allclose(many[0], few[0], atol=1e-6)
    assert np.abs(other - few).max() > 1e-3


def test_interpolation_ends_at_the_reconstructions_of_its_pair(vae, dataset):
    grid = build("interpolation(rows=2, steps=5)").grid(vae, dataset, "test", 0)
    assert grid.events.shape[:2] == (2, 7)
    np.testing.assert_array_equal(grid.events[:, 0], dataset.x[[0, 2]])
    np.testing.assert_array_equal(grid.events[:, -1], dataset.x[[1, 3]])
    np.testing.assert_allclose(grid.events[:, 1], vae(dataset.x[[0, 2]]), atol=1e-6)
    np.testing.assert_allclose(grid.events[:, -2], vae(dataset.x[[1, 3]]), atol=1e-6)
    middle = queries.encode(vae, dataset.x[:2]).mean(axis=0)
    np.testing.assert_allclose(grid.events[0, 3], queries.decode(vae, middle), atol=1e-6)


def test_interpolation_needs_a_pair(vae):
    with pytest.raises(FigureError, match=r"joins pairs of examples. Received a split, test, of 1"):
        build("interpolation").render(vae, FakeDataset(IMAGE, num=1))


def test_traversal_moves_the_most_active_latents_by_stddevs(dataset):
    vae = make_vae(latent_size=4, prior="standard_normal(precision=4.0)")
    grid = build("traversal(rows=2, steps=7)").grid(vae, dataset, "test", 0)
    first, second = activity.most_active(queries.codes(vae, dataset, "test"), 2)
    z = np.zeros([2, 7, 4], np.float32)
    z[0, :, first] = z[1, :, second] = np.linspace(-3, 3, 7) / 2
    # Phi and its inverse in float32 lose some digits at three standard deviations.
    np.testing.assert_allclose(grid.events, queries.decode(vae, z), atol=1e-3)
    assert grid.column_labels == ("-3", "-2", "-1", "0", "1", "2", "3")
    assert grid.row_labels[0].startswith(f"latent {first} (")


def test_traversal_departs_from_an_example(vae, dataset):
    grid = build("traversal(latents=(1,), steps=3, example=2)").grid(vae, dataset, "test", 0)
    z = queries.encode(vae, dataset.x[2:3])[0].copy()
    z[1] = 0.0
    np.testing.assert_allclose(grid.events[0, 1], queries.decode(vae, z), atol=1e-5)


def test_traversal_refuses_an_example_that_is_not_there(vae, dataset):
    with pytest.raises(FigureError, match=r"one of the 70 test examples, from 0 on. Received 70"):
        build("traversal(example=70)").render(vae, dataset)


def test_manifold_corners_are_decoder_means_at_the_corner_quantiles(vae, dataset):
    grid = build("manifold(size=4)").grid(vae, dataset, "test", 0)
    low, high = -1.1503, 1.1503
    # Phi(1.1503) = 0.875 = 3.5 / 4; right and up are the larger values.
    corners = {(0, 0): (low, high), (0, 3): (high, high), (3, 0): (low, low), (3, 3): (high, low)}
    for place, z in corners.items():
        np.testing.assert_allclose(grid.events[place], queries.decode(vae, z), atol=1e-4)


def test_manifold_holds_other_latents_at_the_median(dataset):
    vae = make_vae(latent_size=4)
    grid = build("manifold(size=3, latents=(3, 1))").grid(vae, dataset, "test", 0)
    x, y = -0.967422, 0.967422  # Phi(0.967422) = 5/6
    expected = queries.decode(vae, [0.0, y, 0.0, x])
    np.testing.assert_allclose(grid.events[0, 0], expected, atol=1e-4)


def test_manifold_of_one_latent_is_a_strip(dataset):
    grid = build("manifold(size=6)").grid(make_vae(latent_size=1), dataset, "test", 0)
    assert grid.events.shape == (1, 6, *IMAGE)


def test_manifold_of_vectors_maps_the_elements_that_vary_most():
    vae, dataset = make_vae((30,)), FakeDataset((30,))
    figure = build("manifold(size=5)")
    grid = figure.grid(vae, dataset, "test", 0)
    shown = figure.panels(grid)
    assert len(shown) == 16
    spread = grid.events.std(axis=(0, 1))
    assert {int(panel.title.split()[1]) for panel in shown} == set(np.argsort(-spread)[:16])


def test_panels_of_reconstructions_stand_side_by_side():
    dataset = FakeDataset(VECTOR)
    figure = build("reconstructions(rows=2, columns=3)")
    original, mean = figure.panels(figure.grid(make_vae(VECTOR), dataset, "test", 0))
    np.testing.assert_array_equal(original.values, dataset.x[:6])
    assert mean.values.shape == (6, 7)


def test_constant_panels_have_a_scale_too():
    panels.draw([panels.Panel(np.zeros([2, 3]), "", "x", "y")], "title", "value")


@pytest.mark.parametrize("latent_size", [1, 2])
@pytest.mark.parametrize("classes", [0, 1, 10, 30])
def test_latents_takes_any_number_of_labels(latent_size, classes):
    dataset = FakeDataset(IMAGE, classes=classes)
    build("latents").render(make_vae(latent_size=latent_size), dataset)


def test_latents_shows_the_labels_of_the_codes_it_shows(vae, dataset):
    fewer = FakeDataset(IMAGE)
    fewer.y = np.where(np.arange(70) < 20, fewer.y, 2)
    figure = build("latents(num=20)")
    np.testing.assert_array_equal(figure.render(vae, dataset), figure.render(vae, fewer))


def test_latents_names_the_two_most_active_ones(dataset):
    vae = make_vae(latent_size=5)
    means = queries.codes(vae, dataset, "test")
    chosen = tuple(sorted(activity.most_active(means, 2)))
    np.testing.assert_array_equal(
        build("latents").render(vae, dataset),
        build(f"latents(latents={chosen})").render(vae, dataset),
    )


# The gallery.


@pytest.fixture
def shown(monkeypatch):
    """Returns the names that the gallery draws of a model, without the drawing."""
    monkeypatch.setattr(Figure, "render", lambda *_, **__: None)
    return lambda *arguments: set(gallery.render_all(*arguments, 0))


def test_gallery_has_the_manifold_for_two_latents_alone(shown, vae, dataset):
    assert shown(vae, dataset) == set(KINDS)
    assert shown(make_vae(latent_size=3), dataset) == set(KINDS) - {"manifold"}
    assert shown(make_vae(latent_size=1), dataset) == set(KINDS) - {"manifold"}


@pytest.mark.parametrize(
    ("event_shape", "latent_size", "num"),
    [(IMAGE, 1, 2), (IMAGE, 2, 1), (IMAGE, 3, 3), (VECTOR, 1, 3), (VECTOR, 2, 1), (VECTOR, 3, 2)],
)
def test_gallery_draws_the_smallest_splits(event_shape, latent_size, num):
    dataset = FakeDataset(event_shape, num=num)
    vae = make_vae(event_shape, latent_size)
    pictures = gallery.render_all(vae, dataset, 0, split="validation")
    assert ("interpolation" in pictures) is (num > 1)
    for picture in pictures.values():
        check_picture(picture)


def test_gallery_of_an_empty_split_has_what_needs_no_data(shown, vae):
    assert shown(vae, FakeDataset(IMAGE, num=0)) == {"samples"}


def test_a_figure_applies_to_the_split_that_is_asked_for(shown, vae, monkeypatch):
    dataset = FakeDataset(IMAGE)
    sizes = {"train": 9, "validation": 2, "test": 1}
    monkeypatch.setattr(dataset, "num_examples", sizes.get)
    figure = build("interpolation")
    assert [figure.applies_to(vae, dataset, split) for split in (*sizes, None)] == [
        *(True, True, False),
        False,
    ]
    assert "interpolation" not in shown(vae, dataset)
    assert "interpolation" in gallery.render_all(vae, dataset, 0, split="validation")


@pytest.mark.parametrize("value", [0.0, 3.0, -1e4, 1e30])
def test_bins_of_a_single_value_have_a_width_and_hold_it(value):
    values = np.full([3], value, np.float32).astype(np.float64)
    edges = latents._edges(values)
    assert (np.diff(edges) > 0).all()
    assert np.histogram(values, edges)[0].sum() == 3


def test_gallery_draws_each_figure_as_it_is_drawn_alone(vae, dataset):
    pictures = gallery.render_all(vae, dataset, 3)
    for kind in ("samples", "reconstructions"):
        expected = build(kind).render(vae, dataset, split="test", seed=3)
        np.testing.assert_array_equal(pictures[kind], expected)


def test_without_a_test_split_validation_is_shown(vae):
    dataset = FakeDataset(IMAGE, splits=("train", "validation"))
    np.testing.assert_array_equal(
        build("reconstructions").render(vae, dataset),
        build("reconstructions").render(vae, dataset, split="validation"),
    )


def test_dependent_latents_leave_out_what_needs_quantiles(shown, vae, dataset):
    dependent = type(vae)(
        vae.event_shape, vae.latent_size, network="mlp(hidden=(4,))", prior="mixture"
    )
    left_out = ["manifold", "traversal"]
    assert shown(dependent, dataset) == set(KINDS) - set(left_out)
    assert gallery.undefined_for(dependent) == left_out
    assert gallery.undefined_for(vae) == []
    with pytest.raises(FigureError, match="need latents that are independent under it"):
        build("manifold").grid(dependent, dataset, "test", 0)


def test_gallery_writes_what_it_drew(vae, dataset, tmp_path):
    pictures = {"samples": build("samples").render(vae, dataset)}
    (path,) = gallery.write_all(pictures, tmp_path / "figures")
    assert path == tmp_path / "figures" / "samples.png"
    np.testing.assert_array_equal(np.asarray(Image.open(path)), pictures["samples"])
