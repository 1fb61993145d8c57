"""A folder of pictures: every form of file, what is said of it, and what is refused."""

import json
import os
import pathlib
import struct
import zlib

import numpy as np
import pytest
import samples
from PIL import Image
from sources import build, examples, refused

from tfvae.datasets import gathering, pictures
from tfvae.datasets.mapped import Mapped


@pytest.fixture
def photos(place):
    samples.write_photos(place / "photos", 24)
    return place / "photos"


def decode(array, name="x.png", size=(2, 2), channels=3, mode=None, **kwargs):
    """Writes a picture, and returns it as it is read and what was done."""
    Image.fromarray(array, mode).save(name, **kwargs)
    picture, done = pictures.decode(pathlib.Path(name), size, channels)
    return picture, done


RGB = np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20


def test_a_picture_of_the_right_size_is_not_touched(place):
    for name in ("x.png", "x.bmp", "x.webp"):
        kwargs = {"lossless": True} if name == "x.webp" else {}
        picture, done = decode(RGB, name, **kwargs)
        np.testing.assert_array_equal(picture, RGB, err_msg=name)
        assert done == set()


def test_the_middle_is_cut_out(place):
    wide = np.concatenate([RGB * 0 + 255, RGB, RGB * 0 + 255], axis=1)  # 2 x 6
    picture, done = decode(wide)
    np.testing.assert_array_equal(picture, RGB)
    assert done == {"the middle was cut out"}


def test_sizes_are_said_to_change(place):
    assert decode(RGB, size=(4, 4))[1] == {"enlarged"}
    assert decode(np.zeros([8, 8, 3], np.uint8), size=(4, 4))[1] == {"made smaller"}
    picture, _ = decode(np.zeros([8, 16, 3], np.uint8), size=(4, 8))
    assert picture.shape == (4, 8, 3)


def test_channels_are_as_asked_for(place):
    grey = RGB[..., 0]
    picture, done = decode(grey)
    np.testing.assert_array_equal(picture, grey[..., None].repeat(3, -1))
    assert done == {"grey was repeated for each colour"}
    assert decode(grey, channels=1)[1] == set()
    picture, done = decode(RGB, channels=1)
    assert picture.shape == (2, 2, 1)
    assert done == {"colour was made grey"}
    assert decode(RGB, channels=2)[0][..., 1].tolist() == [[255, 255], [255, 255]]
    assert decode(RGB, channels=4)[0][..., 3].tolist() == [[255, 255], [255, 255]]


def test_opacity_is_kept_or_laid_on_white(place):
    rgba = np.concatenate([RGB, np.full([2, 2, 1], 0, np.uint8)], axis=-1)
    picture, done = decode(rgba)
    assert (picture == 255).all()
    assert done == {"see-through parts were laid on white"}
    assert (decode(rgba, channels=4)[0][..., 3] == 0).all()
    rgba[..., 3] = 255
    picture, done = decode(rgba)
    np.testing.assert_array_equal(picture, RGB)
    assert done == set()


def test_16_bits_are_rounded_not_clipped(place):
    grey = np.array([[0, 257], [257 * 128 + 100, 65535]], np.uint16)
    picture, done = decode(grey, channels=1)
    assert picture[..., 0].tolist() == [[0, 1], [128, 255]]
    assert done == {"16 bits a channel were rounded to 8 (`arrays` keeps them all)"}


def test_16_bits_of_a_colour_are_said_to_be_cut_off(place):
    levels = np.array([[[0, 255, 256]], [[257, 32767, 65535]]], ">u2")
    write_png(place / "x.png", levels)
    picture, done = pictures.decode(place / "x.png", (2, 1), 3)
    np.testing.assert_array_equal(picture, levels >> 8)
    assert done == {"16 bits a channel were cut off to 8 (`arrays` keeps them all)"}


def write_png(path, levels):
    """Writes a PNG of 16 bits a channel, which Pillow can't, from big-endian RGB."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    height, width, _ = levels.shape
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    lines = zlib.compress(b"".join(b"\0" + line.tobytes() for line in levels))
    chunks = (chunk(b"IHDR", head), chunk(b"IDAT", lines), chunk(b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def test_cmyk_is_converted_and_said(place):
    Image.fromarray(RGB).resize((32, 32)).convert("CMYK").save("x.jpg")
    picture, done = pictures.decode(pathlib.Path("x.jpg"), (32, 32), 3)
    assert picture.shape == (32, 32, 3)
    (said,) = done
    assert said == "CMYK was made RGB without its colour profile (convert them first to heed it)"


def test_the_first_frame_of_an_animation_is_taken(place):
    frames = [Image.new("L", (2, 2), level) for level in (10, 200)]
    frames[0].save("x.gif", save_all=True, append_images=frames[1:])
    picture, done = pictures.decode(pathlib.Path("x.gif"), (2, 2), 1)
    assert (picture == 10).all()
    assert "animated: the first frame was taken" in done


def test_a_photograph_is_turned_upright(place):
    image = Image.fromarray(np.arange(8, dtype=np.uint8).reshape(2, 4))
    exif = image.getexif()
    exif[0x0112] = 6  # turn by 90 degrees
    image.save("x.png", exif=exif)
    picture, done = pictures.decode(pathlib.Path("x.png"), (4, 2), 1)
    np.testing.assert_array_equal(picture[..., 0], np.rot90(np.arange(8).reshape(2, 4), -1))
    assert done == {"turned upright as the camera noted"}


def test_a_large_photograph_is_decoded_close_to_its_exact_size(place):
    ramp = np.linspace(0, 255, 1000).astype(np.uint8)
    Image.fromarray(np.tile(ramp, (800, 1))).save("x.jpg", quality=95)
    picture, _ = pictures.decode(pathlib.Path("x.jpg"), (8, 10), 1)
    # The mean of each tenth of the ramp; JPEG and the filter's edges are worth a few levels.
    np.testing.assert_allclose(picture[4, :, 0], np.arange(10) * 25.5 + 12.75, atol=3)


def test_one_corrupt_file_is_named_and_left_out(photos):
    dataset = build("images(path='photos', size=16)")
    assert dataset.event_shape == (16, 16, 3)
    assert sum(dataset.num_examples(s) for s in dataset.splits) == 23
    notes = "\n".join(dataset.notes)
    assert "photos: 24 pictures became 16 x 16." in notes
    assert "photos: 23 pictures: made smaller, the first of them photos/a/00.png." in notes
    assert "photos: uint8 values were divided by 255." in notes
    assert "1 unreadable, left out: photos/b/13.jpg (" in notes
    assert "files of other kinds were passed over: 1 of .txt" in notes
    message = refused("images(path='photos', size=16, max_bad=0)")
    assert "1 of the 24 pictures in photos can't be read, and `max_bad` allows 0: photos/b/13" in (
        message
    )


def test_class_folders_are_labels(photos):
    dataset = build("images(path='photos', size=4)")
    labels = np.concatenate([dataset.labels(s) for s in dataset.splits])
    assert np.bincount(labels).tolist() == [8, 7, 8]
    assert "photos: labels are of the folders: 0 'a', 1 'b', 2 'c'." in dataset.notes
    assert build("images(path='photos/a', size=4, max_bad=0)").labels("train") is None


def test_folders_named_as_splits_are_the_splits(place):
    for split, num in (("train", 12), ("val", 4), ("test", 5)):
        samples.write_photos(place / "photos" / split, num, corrupt=False)
    dataset = build("images(path='photos', size=4)")
    assert [dataset.num_examples(s) for s in dataset.splits] == [12, 4, 5]
    assert set(dataset.labels("test")) <= {0, 1, 2}
    assert "Leave `test` out" in refused("images(path='photos', size=4, test=2)")
    message = refused("images(path='photos', size=4, validation=0.2)")
    assert "has a validation split, which stays as it is. Received validation=0.2." in message


@pytest.mark.parametrize("other", ["more/x.png", "x.png"])
def test_a_folder_of_a_test_split_never_falls_in_with_others(other, place):
    samples.write_photos(place / "photos" / "train", 12, corrupt=False)
    samples.write_photos(place / "photos" / "test", 4, corrupt=False)
    (place / "photos" / "more").mkdir()
    Image.fromarray(RGB).save(place / "photos" / other)
    message = refused("images(path='photos', size=4)")
    assert message.startswith("Folders named as splits are taken as such where one is `train` and")
    assert (
        f"photos has 1 in {'more' if '/' in other else 'no folder'}, 4 in test, 12 in train."
        in (message)
    )
    (place / "photos" / "test").rename(place / "photos" / "trams")  # a class beside one of trains
    assert build("images(path='photos', size=4)").splits == ("train", "validation", "test")


@pytest.mark.parametrize("binarize", ["none", "static", "dynamic"])
@pytest.mark.parametrize("fits", [False, True])
def test_a_cache_on_disk_gives_the_same_and_is_found_again(photos, binarize, fits, monkeypatch):
    spec = f"images(path='photos', size=8, channels=1, binarize={binarize!r}"
    memory = build(f"{spec})")
    if not fits:
        monkeypatch.setattr(gathering.memory, "total", lambda: 3000)
    disk = build(f"{spec}, cache='kept')")
    monkeypatch.setattr(pictures, "decode", None)  # so that nothing is decoded any more
    again = build(f"{spec}, cache='kept')")
    for dataset in (disk, again):
        assert isinstance(dataset._parts["train"].examples, Mapped) != fits
        assert dataset.notes == memory.notes
        assert dataset.fingerprint() == memory.fingerprint()
        np.testing.assert_array_equal(*(examples(d.split("test", 2)) for d in (dataset, memory)))
        blocks = [next(iter(d.blocks(5, 3, seed=2))) for d in (dataset, memory)]
        np.testing.assert_array_equal(*blocks)


def test_a_cache_that_can_t_be_written_is_named(photos, place, monkeypatch):
    (place / "file").touch()
    message = refused("images(path='photos', cache='file')", OSError)
    assert message.startswith("`cache` names a folder for what is read, and file can't be one: ")
    access = os.access  # root may everything, so the answer is made up
    monkeypatch.setattr(os, "access", lambda path, mode: path.name != "kept" and access(path, mode))
    message = refused("images(path='photos', cache='kept')", PermissionError)
    assert "this user may not write in kept. Choose another place" in message


def test_a_changed_file_is_read_again(photos):
    spec = "images(path='photos', size=8, cache='kept')"
    first = build(spec).fingerprint()
    Image.new("RGB", (9, 9), "red").save(photos / "a" / "00.png")
    assert build(spec).fingerprint() != first


def test_a_damaged_cache_is_named(photos, place):
    spec = "images(path='photos', size=8, cache='kept')"
    build(spec)
    (folder,) = (place / "kept").iterdir()
    with (folder / "examples.bin").open("r+b") as file:
        file.truncate(100)
    assert f"The cache kept/{folder.name} is damaged" in refused(spec)
    said = json.loads((folder / "facts.json").read_text())
    assert said["shape"] == [8, 8, 3]


def test_what_is_interrupted_leaves_no_cache(photos, place, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(pictures, "decode", fail)
    with pytest.raises(KeyboardInterrupt):
        build("images(path='photos', size=8, cache='kept')")
    assert list((place / "kept").iterdir()) == []


def test_what_does_not_fit_into_memory_asks_for_a_cache(photos, monkeypatch):
    monkeypatch.setattr(gathering.memory, "total", lambda: 3000)
    message = refused("images(path='photos', size=8)")
    assert message.startswith("The folder photos is larger than a quarter of the memory")
    assert "Keep what is read on disk, in a folder with room: `cache='...'`." in message


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (
            "images(path='empty')",
            "holds no picture (.png, .jpg, .jpeg, .webp, .gif, .bmp), but",
        ),
        ("images(path='text')", "but 1 of .txt. Point `path` at the folder of the pictures."),
        ("images(path='one')", "The folder one has 1 example, and 1 for test"),
        ("images(path='bad')", "1 of the 1 pictures in bad can't be read, and `max_bad` allows 0"),
        ("images(path='black')", "The folder black is constant: every value is 0"),
        ("images(path='one', size=0)", "`size` is a side in pixels, such as 64"),
        ("images(path='one', size=9_000_000)", "more than half of the memory. Choose a smaller"),
        ("images(path='one', cache=3)", "`cache` is the path of a folder, as text, or None."),
        ("images(path='one', size=(4, 4, 3))", "`size` is a side in pixels, such as 64"),
        ("images(path='one', channels=5)", "`channels` is 1 for grey"),
        ("images(path='one', max_bad=-1)", "`max_bad` is a fraction of the files"),
        ("images(path='one', test=0, binarize='yes')", "`binarize` is one of"),
    ],
)
def test_folders_that_can_t_be_learnt_from_are_refused(spec, message, place):
    for name in ("empty", "text", "one", "bad", "black"):
        (place / name).mkdir()
    (place / "text" / "x.txt").touch()
    (place / "bad" / "x.png").write_bytes(b"no picture")
    Image.fromarray(RGB).save("one/x.png")
    for number in range(9):
        Image.new("L", (3, 3)).save(f"black/{number}.png")
    assert message in refused(spec)


def test_links_are_followed_but_not_in_circles(photos, place):
    (place / "more").mkdir()
    for number in range(5):
        Image.fromarray(RGB + np.uint8(number)).save(f"more/{number}.png")
    (photos / "d").symlink_to(place / "more")
    (photos / "a" / "up").symlink_to("..")
    (place / "more" / "self").symlink_to(place / "more")
    (photos / "b" / "gone.png").symlink_to("nowhere.png")
    dataset = build("images(path='photos', size=4, max_bad=2)")
    assert sum(dataset.num_examples(s) for s in dataset.splits) == 23 + 5
    assert max(dataset.labels("train").max(), dataset.labels("test").max()) == 3
    notes = "\n".join(dataset.notes)
    assert "photos: links to folders that they lie in were passed over: 2." in notes
    assert "2 unreadable, left out: photos/b/13.jpg" in notes
    assert "photos/b/gone.png (" in notes


def test_hidden_files_are_passed_over(photos):
    for name in ("._00.png", ".DS_Store", ".hidden.jpg"):
        (photos / "a" / name).write_bytes(b"\0\5\x16\7")
    (photos / ".thumbnails").mkdir()
    Image.fromarray(RGB).save(photos / ".thumbnails" / "x.png")
    dataset = build("images(path='photos', size=4)")
    assert sum(dataset.num_examples(s) for s in dataset.splits) == 23
    assert "photos: hidden pictures and folders were passed over: 3." in dataset.notes


def test_pictures_beside_folders_of_classes_have_no_labels_and_that_is_said(photos):
    Image.fromarray(RGB).save(photos / "x.png")
    dataset = build("images(path='photos', size=4)")
    assert dataset.labels("train") is None
    assert "photos: no labels, since 1 pictures lie in no folder of a class." in dataset.notes


def test_a_folder_without_permission_is_named(photos, monkeypatch):
    access = os.access  # root may everything, so the answer is made up
    monkeypatch.setattr(
        os, "access", lambda path, mode: path.name != "photos" and access(path, mode)
    )
    message = refused("images(path='photos')", PermissionError)
    assert (
        "photos, which this user may not read. Change its permissions with `chmod u+rx" in message
    )


def test_a_folder_inside_without_permission_is_named(photos, monkeypatch):
    def walk(folder, onerror, followlinks):
        onerror(PermissionError(13, "Permission denied", str(folder / "b")))

    monkeypatch.setattr(os, "walk", walk)
    with pytest.raises(PermissionError, match="photos/b"):
        build("images(path='photos')")


def test_a_folder_that_is_not_there_is_named(place):
    message = refused("images(path='photo')", FileNotFoundError)
    assert message.startswith("`path` is the path of a folder. photo does not exist")
