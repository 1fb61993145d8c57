"""The features of a set of TensorFlow Datasets: which are to be learnt, and as what."""

import numpy as np

#: What a feature of one value becomes in a table.
_COLUMNS = {
    "number": "number",
    "label": "integer",
    "class": "category",
    "category": "category",
}


def choose(builder, key, label):
    """Returns what is to be read.

    Args:
        builder: Builder of a prepared set.
        key: Name of a picture or array; a tuple of names of columns; or None for the only picture,
            else the only array, else all columns.
        label: Name of a feature of ints, or None for 'label' where there is one.

    Returns:
        The name of a picture or array, or a dict of names of columns to their kinds; and the name
        of the labels, or None.

    Raises:
        ValueError: If there is no such feature, or it isn't clear which one is meant.
    """
    known = {name: _what(feature) for name, feature in sorted(_flat(builder.info.features).items())}
    title = builder.info.full_name
    label = _label(known, label, title)
    if key is None:
        key = _usual(known, label, title)
    if isinstance(key, tuple | list):
        return _columns(known, key, title), label
    if not isinstance(key, str) or known.get(key) not in ("picture", "array"):
        hint = (
            f" A table of columns is a tuple: `key=({key!r},)`." if _is_column(known, key) else ""
        )
        raise ValueError(
            f"`key` names a picture or an array of numbers of {title}, which has "
            f"{_listed(known)}. Received {key!r}.{hint}"
        )
    return key, label


def unread(builder, key, label):
    """Returns the names of the features that are neither learnt nor labels."""
    known = set(key) if isinstance(key, dict) else {key}
    return [name for name in sorted(_flat(builder.info.features)) if name not in {*known, label}]


def at(row, name, default=None):
    """Returns the value of a feature in a row, `default` where there is no name.

    Examples:
        >>> at({"a": {"b": 7}}, "a/b")
        7
    """
    if name is None:
        return default
    for part in [name] if name in row else name.split("/"):
        row = row[part]
    return row


def feature_of(builder, name):
    """Returns a feature by its name."""
    return _flat(builder.info.features)[name]


def _usual(known, label, title):
    """Returns what is read where nothing is said."""
    for kind in ("picture", "array"):
        found = [name for name, what in known.items() if what == kind]
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(
                f"`key` names the feature of {title} to learn: {_listed(known)}. None takes the "
                f"only picture or array. Write `key={found[0]!r}`."
            )
    columns = tuple(name for name in known if _is_column(known, name) and name != label)
    if not columns:
        raise ValueError(
            f"A set has a picture, an array of numbers, or columns of one value each. {title} has "
            f"{_listed(known) or 'nothing'}. Take another set."
        )
    return columns


def _columns(known, names, title):
    """Returns the kinds of columns by name."""
    good = [name for name in names if _is_column(known, name)]
    if len(good) < len(names) or not good or len(set(good)) < len(good):
        raise ValueError(
            f"A tuple as `key` names features of one value of {title}, each once, which has "
            f"{_listed(known)}. Received {names!r}."
        )
    return {name: _COLUMNS[known[name]] for name in good}


def _label(known, label, title):
    if label is None:
        return "label" if known.get("label") in ("label", "class") else None
    if not isinstance(label, str) or known.get(label) not in ("label", "class"):
        raise ValueError(
            f"`label` names a feature of one int of {title}, which has {_listed(known)}. Received "
            f"{label!r}."
        )
    return label


def _is_column(known, name):
    return isinstance(name, str) and known.get(name) in _COLUMNS


def _listed(known):
    return ", ".join(f"{name} ({what})" for name, what in known.items())


def _flat(features):
    """Returns features by name; those of a dict within as 'name/inner'."""
    found: dict = {}
    for name, feature in dict(features).items() if _is_dict(features) else ():
        inner = {f"{name}/{key}": value for key, value in _flat(feature).items()}
        found |= inner or {name: feature}
    return found


def _is_dict(feature):
    # By its name: sequences of dicts have the attributes of dicts too.
    return any(base.__name__ == "FeaturesDict" for base in type(feature).__mro__)


def _what(feature):
    """Returns what a feature is, in a word."""
    kind = type(feature).__name__
    if kind in ("Image", "ClassLabel"):
        return {"Image": "picture", "ClassLabel": "class"}[kind]
    if kind not in ("Scalar", "Tensor", "Text"):
        return kind
    dtype = np.dtype(feature.np_dtype)
    if feature.shape == ():
        return {"i": "label", "u": "label", "f": "number"}.get(dtype.kind, "category")
    return "array" if dtype.kind in "biuf" else kind
