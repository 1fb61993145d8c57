"""Rows of another table: they are read by the statistics and the codes of the one trained on."""

import numpy as np
import pytest
import samples
from sources import build, everything

from tfvae.exporters import manifest, model_card
from tfvae.vae import VAE


@pytest.fixture
def place(place):
    samples.write_table(place / "people.csv")
    return place


def test_rows_of_another_table_are_seen_as_the_model_sees_those_it_was_trained_on(place):
    known = build("table(path='people.csv')").transform
    lines = [line.split(",") for line in (place / "people.csv").read_text().splitlines()[1:]]
    taller = [(int(a), float(h) + 1, c, m) for a, h, c, m in lines if c != "Oslo"]
    text = "".join(f"{a},{h:.2f},{c},{m}\n" for a, h, c, m in taller)
    (place / "taller.csv").write_text(f"age,height,city,member\n{text}")
    dataset = build("table(path='taller.csv')")
    assert dataset.event_shape == (2 + 2 + 2,)  # Oslo is missing, and Rome has its code
    own = dataset.fingerprint()
    dataset.adopt(known)
    assert (dataset.event_shape, dataset.transform) == ((2 + 3 + 2,), known)
    assert dataset.fingerprint() != own
    x = everything(dataset)
    found = sorted(tuple(row) for row in np.round(known.decode(x, whole=True).numpy(), 2).tolist())
    cities, members = ["Bern", "Oslo", "Rome"], ["false", "true"]
    expected = sorted((a, h, cities.index(c), members.index(m)) for a, h, c, m in taller)
    np.testing.assert_allclose(found, np.array(expected, float), atol=1e-6)
    height = known.columns[1]
    # One metre more, in standard deviations of those who are known: not 0, as among themselves.
    assert x[:, 1].mean() == pytest.approx(1 / height["stddev"], rel=0.1)
    dataset.adopt(known)  # once more changes nothing
    np.testing.assert_array_equal(everything(dataset), x)


def test_rows_of_other_columns_or_categories_are_refused(place):
    known = build("table(path='people.csv')").transform
    head, *lines = (place / "people.csv").read_text().splitlines()
    (place / "new.csv").write_text("\n".join([head, *lines, "30,1.7,Paris,true\n"]))
    for spec, message in (
        (
            "new.csv'",
            "`city` has the categories that the model was trained on: 'Bern', 'Oslo', 'Rome'",
        ),
        ("new.csv'", "Received 'Paris' too. Leave these rows out, or train on data that has them."),
        (
            "people.csv', columns=('height', 'age')",
            "in their order: age, height, city, member. Receiv",
        ),
        (
            "people.csv', columns=('height', 'age')",
            "Choose them with `columns=('age', 'height', 'ci",
        ),
    ):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared
            build(f"table(path='{spec})").adopt(known)
        assert message in str(caught.value)
    kinds = "{'age': 'category', 'height': None, 'city': None, 'member': None}"
    with pytest.raises(
        ValueError, match=r"`age` is of the kind 'integer' in what .* Say which, as"
    ):
        build(f"table(path='people.csv', columns={kinds})").adopt(known)
    with pytest.raises(ValueError, match="has them as they came, and the model takes rows of a ta"):
        build("synthetic(kind='moons')").adopt(known)
    with pytest.raises(ValueError, match="has them as rows of a table, and the model takes none"):
        build("table(path='people.csv')").adopt(None)
    build("synthetic(kind='moons')").adopt(None)


def test_a_release_names_the_columns_and_the_codes_of_their_categories(place):
    transform = build("table(path='people.csv')").transform
    vae = VAE(transform.event_shape, 2, network="mlp(hidden=(3,))", likelihood="normal",
              transform=transform)  # fmt: skip
    described = manifest.describe(vae, manifest.Provenance(), [])
    assert described["model"]["columns"] == transform.columns
    content = {
        "name": "people",
        "version": 1,
        **described,
        "formats": {},
        "variants": {},
        "files": {},
        "samples": [],
    }
    card = model_card.text(content)
    assert "| 2 | city | category | 0 Bern, 1 Oslo, 2 Rome |" in card
    mean = f"{transform.columns[0]['mean']:.6g}"
    assert f"| 0 | age | integer | mean {mean}, standard deviation " in card
    plain = VAE((2,), 2, network="mlp(hidden=(3,))", likelihood="normal")
    assert "columns" not in manifest.describe(plain, manifest.Provenance(), [])["model"]
