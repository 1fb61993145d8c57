"""Sets of TensorFlow Datasets: prepared ones are read, missing ones are said to be in seconds."""

import contextlib
import functools
import http.server
import os
import shutil
import socket
import threading
import time

import numpy as np
import pytest
import samples
from sources import build, everything, refused, rows

from tfvae.datasets import downloads, prepared


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
    assert dataset.notes == (
        "The set tiny/1.0.0: uint8 values were divided by 255.",
        "The set tiny/1.0.0: features that were not read: v.",
    )


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
        ("key='z'", "which has image (picture), label (class), v (array). Received 'z'."),
        ("key='label'", "`key` names a picture or an array of numbers of tiny/1.0.0"),
        ("key=('label', 'v')", "A tuple as `key` names features of one value of tiny/1.0.0"),
        ("label='v'", "`label` names a feature of one int of tiny/1.0.0"),
        ("test=5", "has a test split, which stays as it is"),
        ("size=0", "`size` is a side in pixels"),
        ("download='no'", "`download` is True or False. Received 'no'."),
    ],
)
def test_features_that_are_not_there_are_refused(options, message, place):
    assert message in refused(f"tfds(name='tiny', data_dir='{place}', {options})")


def test_a_set_that_is_not_prepared_is_said_to_be_at_once(place):
    began = time.monotonic()
    message = refused(f"tfds(name='cifar10', data_dir='{place}')", FileNotFoundError)
    assert time.monotonic() - began < 5
    assert message.startswith(
        f"The set 'cifar10' is not prepared in {place}; it holds rows, tiny. Download it with "
        f"`download=True`. Or prepare it on another machine, `python -c "
    )


def test_a_closed_folder_of_sets_is_named(place, monkeypatch):
    access = os.access  # root may everything, so the answer is made up
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != place and access(path, mode))
    message = refused(f"tfds(name='tiny', data_dir='{place}')", PermissionError)
    assert message.startswith("`data_dir` leads to ")
    assert "which this user may not read. Change its permissions with `chmod u+rx " in message


@pytest.mark.parametrize(("name", "options"), [("tiny", ""), ("rows", ", missing='mask'")])
def test_a_damaged_set_is_named(name, options, home, tmp_path):
    shutil.copytree(home / name, tmp_path / name)
    (file,) = (tmp_path / name).glob("1.0.0/*train*")
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])
    spec = f"tfds(name='{name}', data_dir='{tmp_path}'{options})"
    message = refused(spec)
    assert message.startswith(f"The data file {tmp_path / name}/1.0.0 is damaged: ")
    assert message.endswith("Fetch it again.")
    assert "\n" not in message
    (tmp_path / name / "1.0.0" / "dataset_info.json").write_text("{")
    assert refused(spec).startswith(f"The data file {tmp_path / name}/1.0.0 is damaged: ")


@pytest.mark.parametrize("name", ["''", "3", "'..'", "'../x'", "'/nowhere'", "'a//b'"])
def test_what_is_no_name_is_refused(name):
    message = refused(f"tfds(name={name})")
    assert "`name` is the name of a set, such as 'mnist', or the folder of" in message
    assert message.endswith(f"Received {name}.")


def test_what_is_no_text_or_no_package_is_refused():
    assert "`data_dir` is a text, or None. Received 3." in refused("tfds(name='a', data_dir=3)")
    spec = "tfds(name='a', data_dir='none', module='my_{}', download=True)"
    assert "No module named 'my_sets'. Received 'my_sets'. Run from" in refused(spec.format("sets"))


def test_several_configs_are_named(tmp_path):
    for config in ("a", "b"):
        (tmp_path / "mine" / config / "1.0.0").mkdir(parents=True)
        (tmp_path / "mine" / config / "1.0.0" / "dataset_info.json").touch()
    message = refused(f"tfds(name='mine', data_dir='{tmp_path}')")
    assert message.endswith("with 2 configs. Name one, as in `name='mine/a'` or `name='mine/b'`.")


# Tables.


def test_columns_of_one_value_are_read_as_a_table(place):
    spec = f"tfds(name='rows', data_dir='{place}', missing='mask')"
    dataset = build(spec)
    kinds = {column["name"]: column["kind"] for column in dataset.transform.columns}
    assert kinds == {
        "age": "integer", "body/height": "number", "body/weight": "number",
        "city": "category", "member": "category", "sex": "category",
    }  # fmt: skip
    assert dataset.masks_missing
    test = samples.tfds_rows(60, 80)
    found = dataset.transform.decode(np.concatenate(list(dataset.split("test", 7))), whole=True)
    age, height, weight, city, member, sex = np.asarray(found).T
    np.testing.assert_array_equal(age, test["age"])
    np.testing.assert_allclose(height, test["body"]["height"], rtol=1e-6)  # standardised and back
    np.testing.assert_allclose(weight, test["body"]["weight"], rtol=1e-6)
    # By name: Bern, Oslo, Rome.
    expected = [[2, 0, 1, np.nan][code] for code in test["city"]]
    np.testing.assert_array_equal(city, expected)
    np.testing.assert_array_equal(member, test["member"])
    np.testing.assert_array_equal(sex, test["sex"] == "m")
    np.testing.assert_array_equal(dataset.labels("test"), test["label"])
    notes = "\n".join(dataset.notes)
    assert "The set rows/1.0.0: `city`: 0 'Bern', 1 'Oslo', 2 'Rome'." in notes
    assert "The set rows/1.0.0: `city`: 16 values are missing" in notes


def test_columns_of_a_table_can_be_chosen(place):
    dataset = build(f"tfds(name='rows', data_dir='{place}', key=('sex', 'age'), label='age')")
    assert [column["name"] for column in dataset.transform.columns] == ["sex", "age"]
    assert set(dataset.labels("train")) <= set(range(20, 70))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "The column `body/weight` has no value in row 1 of rows/1.0.0, train, row 8 of"),
        ("", "or leave the column out. To leave it out, write `key=('age', 'body/height', 'city'"),
        ("key='age'", "Received 'age'. A table of columns is a tuple: `key=('age',)`."),
        ("key=('age', 'age')", "A tuple as `key` names features of one value"),
        ("key=('age',), size=4", "`size` is an option of pictures and arrays, and The set rows"),
        ("key=('age',), binarize='static'", "Received binarize='static'. Leave it out."),
        ("missing='drop'", "`missing` is 'refuse', or 'mask'"),
    ],
)
def test_columns_that_can_t_be_learnt_from_are_refused(options, message, place):
    assert message in refused(f"tfds(name='rows', data_dir='{place}', {options})")


# Downloads.


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(downloads, "_PATIENCE", (0.3, 0.3))
    monkeypatch.setattr(downloads, "_MOST", 1.0)
    for variable in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
        monkeypatch.delenv(variable.lower(), raising=False)


@contextlib.contextmanager
def serving(answer):
    """Runs a server that answers each connection with a text, or not at all; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as held:

        def serve():
            with contextlib.suppress(OSError):  # the end of the test
                while True:
                    client = held.enter_context(server.accept()[0])
                    client.recv(1000)
                    client.sendall(answer)
                    if answer:
                        client.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # `accept` returns


OK = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"  # whatever it answers: it is there
NO_WAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(OK, None), (NO_WAY, "(HTTP status 502)"), (b"", "(no answer)")],
)
def test_a_host_is_asked_by_the_proxy_that_is_named(answer, reason, impatient, monkeypatch):
    with serving(answer) as address:
        monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@{address}")
        found = downloads.unreachable(["http://data.example/x.zip"])
    assert found == (reason and f"data.example can't be reached by the proxy {address} {reason}")


def test_a_proxy_that_lets_nothing_through_is_named(impatient, monkeypatch):
    with serving(b"HTTP/1.1 403 Forbidden\r\n\r\n") as address:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{address}")
        found = downloads.unreachable(["https://data.example/x.zip"])
    said = f"data.example can't be reached by the proxy {address} (Tunnel connection failed: 403"
    assert found.startswith(said)


def test_without_a_network_it_says_so_in_seconds(place, impatient, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed}")
    began = time.monotonic()
    message = refused(f"tfds(name='cifar10', data_dir='{place}', download=True)", OSError)
    assert time.monotonic() - began < 10
    assert message.startswith(f"The set 'cifar10' is not prepared in {place}, and can't be: ")
    assert f"can't be reached by the proxy 127.0.0.1:{closed} (Connection refused). Or" in message


def test_a_name_that_takes_too_long_to_look_up_is_no_network(impatient, monkeypatch):
    forever = threading.Event()

    def look_up(*_, **__):
        forever.wait()
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    found = downloads.unreachable(["https://data.example/x.zip"])
    forever.set()
    assert found == "data.example can't be reached (no answer in 1 seconds)"


def test_a_builder_of_your_own_that_needs_a_network_is_not_tried_for_minutes(
    tmp_path, impatient, monkeypatch
):
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"127.0.0.1:{server.getsockname()[1]}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://{closed}")
    (tmp_path / "far_sets").mkdir()
    text = samples.BUILDER.replace("Counted", "Far").replace(
        "return {", f"manager.download('http://{closed}/x.csv')\n        return {{"
    )
    (tmp_path / "far_sets" / "__init__.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    spec = f"tfds(name='far', data_dir='{tmp_path}', module='far_sets', download=True)"
    began = time.monotonic()
    assert ", and can't be: Connection refused. Or prepare it" in refused(spec, OSError)
    assert time.monotonic() - began < 10


def test_a_builder_of_your_own_is_prepared(tmp_path, impatient, monkeypatch):
    (tmp_path / "my_sets").mkdir()
    (tmp_path / "my_sets" / "__init__.py").write_text(samples.BUILDER)
    monkeypatch.syspath_prepend(tmp_path)
    spec = f"tfds(name='counted', data_dir='{tmp_path}', module='my_sets', download=True)"
    dataset = build(spec)
    assert dataset.event_shape == (4,)
    assert sum(dataset.num_examples(s) for s in dataset.splits) == 30
    again = build(f"tfds(name='counted', data_dir='{tmp_path}')")  # now without its code
    assert again.fingerprint() == dataset.fingerprint()


class Silent(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_set_is_downloaded_and_prepared(tmp_path, monkeypatch):
    x = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    serve = functools.partial(Silent, directory=tmp_path)
    (tmp_path / "near_sets").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        url = f"http://127.0.0.1:{server.server_address[1]}/x.npy"
        text = samples.BUILDER.replace("Counted", "Near").replace(
            "self._generate_examples()", f"self._generate_examples(manager.download('{url}'))"
        )
        text = text.replace("_examples(self):", "_examples(self, path):")
        text = text.replace("range(30)", "range(len(np.load(path)))")
        text = text.replace("np.arange(4, dtype=np.float32) * i + i", "np.load(path)[i]")
        (tmp_path / "near_sets" / "__init__.py").write_text(text)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        spec = f"tfds(name='near', data_dir='{tmp_path}', module='near_sets'"
        dataset = build(f"{spec}, download=True)")
        server.shutdown()
    assert rows(everything(dataset)) == rows(x)
    assert build(f"{spec})").fingerprint() == dataset.fingerprint()  # from the disk, from now on


def test_a_missing_package_is_named_with_how_to_install_it(monkeypatch):
    monkeypatch.setitem(prepared.extras.importlib.sys.modules, "tensorflow_datasets", None)
    assert "`pip install 'tfvae[tfds]'`" in refused("tfds(name='mnist')", OSError)
