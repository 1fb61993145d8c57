"""Static checks of LiteRT files, read as the FlatBuffers that they are."""

import collections
import pathlib

import numpy as np
from ai_edge_litert import schema_py_generated as schema

_TYPES = {getattr(schema.TensorType, name): name.lower() for name in ("FLOAT32", "INT32")}
_LARGE = 64  # elements: fewer may be equal by chance


def problems(path, batch, weights, foreign):
    """Yields what is wrong with a LiteRT file.

    Args:
        path: The file.
        batch: The batch size that it is made for; None where any fits.
        weights: Arrays: the values of the variables that belong into it.
        foreign: Arrays: those of the other parts.

    Yields:
        Texts that name the check, and the signature where one is to blame.
    """
    model = schema.Model.GetRootAs(pathlib.Path(path).read_bytes(), 0)
    yield from _operations(model)
    yield from _tensors(model, batch)
    yield from _weights(model, weights, foreign)


def _operations(model):
    for code in _each(model, "OperatorCodes"):
        custom = code.CustomCode()
        if custom is not None:
            yield (
                f"Static check of operations: the file holds the custom operation "
                f"`{custom.decode()}`, which LiteRT runtimes don't bring: they carry no Flex "
                f"delegate. Write the signature with operations that convert."
            )


def _tensors(model, batch):
    """Yields inputs and outputs of a type or first dimension that isn't the contract's."""
    for signature in _each(model, "SignatureDefs"):
        tensors = model.Subgraphs(signature.SubgraphIndex()).Tensors
        for kind in ("Inputs", "Outputs"):
            for item in _each(signature, kind):
                tensor = tensors(item.TensorIndex())
                where = (
                    f"{kind[:-1].lower()} `{item.Name().decode()}` of signature "
                    f"`{signature.SignatureKey().decode()}`"
                )
                if tensor.Type() not in _TYPES:
                    (name,) = (k for k, v in vars(schema.TensorType).items() if v == tensor.Type())
                    yield (
                        f"Static check of types: {where} is {name.lower()}, and should be "
                        f"{' or '.join(_TYPES.values())}."
                    )
                shape, any_size = _shape(tensor), "of any size"
                if not shape or shape[0] != (-1 if batch is None else batch):
                    yield (
                        f"Static check of shapes: {where} has the shape {shape}. Its first "
                        f"dimension should be the batch, {any_size if batch is None else batch}."
                    )


def _shape(tensor):
    dynamic = tensor.ShapeSignatureLength() > 0
    sizes = tensor.ShapeSignatureAsNumpy() if dynamic else tensor.ShapeAsNumpy()
    return [int(size) for size in np.atleast_1d(sizes)] if not np.isscalar(sizes) else []


def _weights(model, weights, foreign):
    """Yields buffers that are there twice, or that hold a weight of another part.

    The converter lays a weight out as an operation wants it, so weights are known by their
    sorted values.
    """
    stored = [_key(buffer.DataAsNumpy()) for buffer in _each(model, "Buffers") if _is_large(buffer)]
    mine = collections.Counter(_key(w) for w in weights if _is_telling(w))
    theirs = {_key(w) for w in foreign if _is_telling(w)}
    for key, times in collections.Counter(stored).items():
        size = len(key) // 4
        if times > mine[key] > 0:
            yield f"Static check of weights: a weight of {size} values is stored {times} times."
        if key in theirs and key not in mine:
            yield f"Static check of weights: a weight of {size} values belongs to another part."


def _is_large(buffer):
    return buffer.DataLength() >= 4 * _LARGE and buffer.DataLength() % 4 == 0


def _is_telling(weight):
    """Says whether a weight can be told from others: biases that are still zero can't."""
    return weight.size >= _LARGE and np.ptp(weight) > 0


def _key(array):
    values = np.frombuffer(array.tobytes(), np.uint32)
    return np.sort(values).tobytes()


def _each(table, name):
    get, length = getattr(table, name), getattr(table, f"{name}Length")
    return (get(number) for number in range(length()))
