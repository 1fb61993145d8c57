"""Sets of TensorFlow Datasets: prepared ones are read, missing ones are said to be in seconds."""

import time

import numpy as np
import pytest
import samples
from sources import build, refused

from tfvae.datasets import prepared


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    path = tmp_path_factory.mktemp("tfds")
    samples.write_tfds(path)
    return path


@pytest.fixture
def place(home, monkeypatch):
    monkeypatch.chdir(home.parent)
    return home.name


@pytest.mark.parametrize(
    "which",
    ["name='tiny', data_dir='{}'", "name='tiny/1.0.0', data_dir='{}'", "name='{}/tiny/1.0.0'"],
)
def test_a_prepared_set_is_read_with_its_splits(which, place):
    dataset = build(f"tfds({which.format(place)}, validation=10)")
    assert dataset.event_shape == (6, 5, 1)
    assert [dataset.num_examples(s) for s in dataset.splits] == [50, 10, 20]
    expected = samples.pictures(80)[60:, ..., None].astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(np.concatenate(list(dataset.split("test", 7))), expected)
    np.testing.assert_array_equal(dataset.labels("test"), np.arange(60, 80) % 3)
    assert dataset.notes == ("The set tiny/1.0.0: uint8 values were divided by 255.",)


def test_another_feature_and_another_size_can_be_chosen(place):
    assert build(f"tfds(name='tiny', data_dir='{place}', key='v')").event_shape == (3,)
    dataset = build(f"tfds(name='tiny', data_dir='{place}', size=(4, 4), channels=3)")
    assert dataset.event_shape == (4, 4, 3)
    assert any("80 pictures: grey was repeated for each colour" in n for n in dataset.notes)


def test_a_cache_gives_the_same(place, tmp_path):
    spec = f"tfds(name='tiny', data_dir='{place}', label='label'"
    memory = build(f"{spec})")
    for _ in range(2):
        assert build(f"{spec}, cache='{tmp_path}')").fingerprint() == memory.fingerprint()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("key='z'", "which has image (picture), label (label), v (array). Received 'z'."),
        ("key='label'", "`key` names a picture or an array of numbers of tiny/1.0.0"),
        ("label='v'", "`label` names a feature of one int of tiny/1.0.0"),
        ("test=5", "has a test split, which stays as it is"),
        ("size=0", "`size` is a side in pixels"),
    ],
)
def test_features_that_are_not_there_are_refused(options, message, place):
    assert message in refused(f"tfds(name='tiny', data_dir='{place}', {options})")


def test_a_set_that_is_not_prepared_is_said_to_be_at_once(place):
    began = time.monotonic()
    message = refused(f"tfds(name='cifar10', data_dir='{place}')", FileNotFoundError)
    assert time.monotonic() - began < 5
    assert message.startswith(
        f"The set 'cifar10' is not prepared in {place}; it holds tiny. Download it with "
        f"`download=True`. Or prepare it on another machine, `python -c "
    )


def test_without_a_network_it_says_so_in_seconds(place, monkeypatch):
    def no_network(*_):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(prepared.socket, "create_connection", no_network)
    message = refused(f"tfds(name='cifar10', data_dir='{place}', download=True)", OSError)
    assert "there is no network to download it (Network is unreachable). Or prepare it" in message


def test_what_is_no_name_is_refused():
    assert "`name` is the name of a set, such as 'mnist'" in refused("tfds(name='')")
    assert "Received 3." in refused("tfds(name=3)")


def test_a_builder_of_your_own_is_prepared(tmp_path, monkeypatch):
    (tmp_path / "my_sets").mkdir()
    (tmp_path / "my_sets" / "__init__.py").write_text(samples.BUILDER)
    monkeypatch.syspath_prepend(tmp_path)
    spec = f"tfds(name='counted', data_dir='{tmp_path}', module='my_sets', download=True)"
    dataset = build(spec)
    assert dataset.event_shape == (4,)
    assert sum(dataset.num_examples(s) for s in dataset.splits) == 30
    again = build(f"tfds(name='counted', data_dir='{tmp_path}')")  # now without its code
    assert again.fingerprint() == dataset.fingerprint()


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch):
    monkeypatch.setitem(prepared.extras.importlib.sys.modules, "tensorflow_datasets", None)
    assert "`pip install 'tfvae[tfds]'`" in refused("tfds(name='mnist')", OSError)
