"""Runs SavedModels by the C API of TensorFlow's C++ library, without TensorFlow for Python.

That library holds the loader that TensorFlow Serving runs: `TF_LoadSessionFromSavedModel`. It says
nothing of a model whose variables are missing, so every signature has to be run.

References:
    [1] tensorflow/c/c_api.h and tensorflow/c/tf_tensor.h of the package.
    [2] The wire format of protocol buffers. https://protobuf.dev/programming-guides/encoding/
    [3] tensorflow/c/tf_tstring.h and tensorflow/core/platform/ctstring_internal.h: a string is
        24 bytes in a tensor, which hold it or point to it.
"""

import ctypes
import importlib.machinery
import math
import pathlib
from typing import Any

import numpy as np

BLOCKED = ("tensorflow",)

# The values of `tensorflow::DataType` that an export may hold.
_TYPES: dict[int, np.dtype] = {
    1: np.dtype(np.float32),
    3: np.dtype(np.int32),
    4: np.dtype(np.uint8),
}
_NUMBERS = {dtype: number for number, dtype in _TYPES.items()}
_STRING, _STRING_SIZE = 7, 24


class _Buffer(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("free", ctypes.c_void_p))


class _Output(ctypes.Structure):
    _fields_ = (("operation", ctypes.c_void_p), ("index", ctypes.c_int))


class Program:
    """An opened SavedModel.

    Args:
        path: Its directory.

    Raises:
        ValueError: If it isn't a SavedModel, or not a whole one.
    """

    def __init__(self, path):
        self._c = _library()
        self._graph = self._c.TF_NewGraph()
        definition = _Buffer()
        tags = (ctypes.c_char_p * 1)(b"serve")
        options = self._c.TF_NewSessionOptions()
        with _Status(self._c) as status:
            self._session = self._c.TF_LoadSessionFromSavedModel(
                options, None, str(path).encode(), tags, 1, self._graph, _at(definition), status
            )
        self._c.TF_DeleteSessionOptions(options)
        self._signatures = _signatures(ctypes.string_at(definition.data, definition.length))
        self.signatures = tuple(self._signatures)

    def close(self):
        """Ends the session: its memory and its threads would stay."""
        with _Status(self._c) as status:
            self._c.TF_CloseSession(self._session, status)
            self._c.TF_DeleteSession(self._session, status)
        self._c.TF_DeleteGraph(self._graph)

    def inputs(self, signature):
        """Returns the shape of each input by name; None where any size fits."""
        return {name: info["shape"] for name, info in self._signatures[signature][0].items()}

    def run(self, signature, inputs):
        """Calls a signature.

        Args:
            signature: One of `signatures`.
            inputs: Dict of input name to a NumPy array.

        Returns:
            Dict of output name to a NumPy array.
        """
        takes, gives = self._signatures[signature]
        feeds = (_Output * len(inputs))(*(self._output(takes[name]["name"]) for name in inputs))
        fetches = (_Output * len(gives))(*(self._output(info["name"]) for info in gives.values()))
        values = (ctypes.c_void_p * len(inputs))(*map(self._tensor, inputs.values()))
        answers = (ctypes.c_void_p * len(gives))()
        nothing = (None, 0, None)
        try:
            with _Status(self._c) as status:
                self._c.TF_SessionRun(
                    *(self._session, None, feeds, values, len(inputs)),
                    *(fetches, answers, len(gives), *nothing, status),
                )
            return dict(zip(gives, map(self._array, answers), strict=True))
        finally:
            for tensor in (*values, *answers):
                if tensor:
                    self._c.TF_DeleteTensor(tensor)

    def _strings(self, tensor, num):
        """Returns the addresses of the strings of a tensor."""
        first = self._c.TF_TensorData(tensor)
        return [first + index * _STRING_SIZE for index in range(num)]

    def _output(self, name):
        """Returns the output of an operation by the name of its tensor, "operation:index"."""
        operation, _, index = name.partition(":")
        found = self._c.TF_GraphOperationByName(self._graph, operation.encode())
        if not found:
            raise ValueError(f"The graph has no operation {operation}.")
        return _Output(found, int(index or 0))

    def _tensor(self, array):
        array = np.ascontiguousarray(array)
        shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        if array.dtype.kind == "S":
            size = _STRING_SIZE * array.size
            tensor = self._c.TF_AllocateTensor(_STRING, shape, array.ndim, size)
            for place, content in zip(self._strings(tensor, array.size), array.flat, strict=True):
                self._c.TF_StringInit(place)
                self._c.TF_StringCopy(place, content, len(content))
            return tensor
        tensor = self._c.TF_AllocateTensor(_NUMBERS[array.dtype], shape, array.ndim, array.nbytes)
        ctypes.memmove(self._c.TF_TensorData(tensor), array.ctypes.data, array.nbytes)
        return tensor

    def _array(self, tensor):
        number = self._c.TF_TensorType(tensor)
        shape = [self._c.TF_Dim(tensor, axis) for axis in range(self._c.TF_NumDims(tensor))]
        if number == _STRING:
            places = self._strings(tensor, math.prod(shape))
            return np.array([self._string(place) for place in places]).reshape(shape)
        if number not in _TYPES:
            raise ValueError(f"A tensor is of the type {number} of tensorflow::DataType.")
        size = self._c.TF_TensorByteSize(tensor)
        content = ctypes.string_at(self._c.TF_TensorData(tensor), size)
        return np.frombuffer(content, _TYPES[number]).reshape(shape)

    def _string(self, place):
        size = self._c.TF_StringGetSize(place)
        return ctypes.string_at(self._c.TF_StringGetDataPointer(place), size)


class _Status:
    """A `TF_Status` for one call, which raises its message when the block is left."""

    def __init__(self, library):
        self._c = library

    def __enter__(self):
        self._status = self._c.TF_NewStatus()
        return self._status

    def __exit__(self, *exception):
        code, text = self._c.TF_GetCode(self._status), self._c.TF_Message(self._status)
        self._c.TF_DeleteStatus(self._status)
        if code:
            raise ValueError(text.decode(errors="replace"))


def _library():
    """Loads the C++ library of the installed package, without importing the package."""
    spec = importlib.machinery.PathFinder.find_spec("tensorflow")
    folder = pathlib.Path(spec.origin).parent if spec and spec.origin else None
    found = sorted(folder.glob("libtensorflow_cc.*[0-9]*")) if folder else []
    if not found:
        raise ValueError(
            f"SavedModels are proven by TensorFlow's C++ library, libtensorflow_cc, which comes "
            f"with the package tensorflow. Looked in {folder}. Install tensorflow 2.21 from PyPI."
        )
    library = ctypes.CDLL(str(found[0]))
    for name, (result, *arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


_POINTER, _INT, _TEXT, _SIZE = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
_FUNCTIONS: dict[str, tuple] = {
    "TF_NewStatus": (_POINTER,),
    "TF_DeleteStatus": (None, _POINTER),
    "TF_GetCode": (_INT, _POINTER),
    "TF_Message": (_TEXT, _POINTER),
    "TF_NewGraph": (_POINTER,),
    "TF_NewSessionOptions": (_POINTER,),
    "TF_DeleteSessionOptions": (None, _POINTER),
    "TF_GraphOperationByName": (_POINTER, _POINTER, _TEXT),
    "TF_LoadSessionFromSavedModel": (_POINTER, *[_POINTER] * 2, _TEXT, _POINTER, _INT)
    + (_POINTER,) * 3,
    "TF_CloseSession": (None, _POINTER, _POINTER),
    "TF_DeleteSession": (None, _POINTER, _POINTER),
    "TF_DeleteGraph": (None, _POINTER),
    "TF_SessionRun": (None, *[_POINTER] * 4, _INT, _POINTER, _POINTER, _INT, _POINTER, _INT)
    + (_POINTER,) * 2,
    "TF_AllocateTensor": (_POINTER, _INT, _POINTER, _INT, _SIZE),
    "TF_DeleteTensor": (None, _POINTER),
    "TF_TensorType": (_INT, _POINTER),
    "TF_TensorData": (_POINTER, _POINTER),
    "TF_TensorByteSize": (_SIZE, _POINTER),
    "TF_NumDims": (_INT, _POINTER),
    "TF_Dim": (ctypes.c_int64, _POINTER, _INT),
    "TF_StringInit": (None, _POINTER),
    "TF_StringCopy": (None, _POINTER, _TEXT, _SIZE),
    "TF_StringGetSize": (_SIZE, _POINTER),
    "TF_StringGetDataPointer": (_POINTER, _POINTER),
}


def _at(structure):
    return ctypes.cast(ctypes.byref(structure), _POINTER)


# MetaGraphDef.signature_def = 5; SignatureDef.inputs = 1, outputs = 2; TensorInfo.name = 1,
# tensor_shape = 3; TensorShapeProto.dim = 2, Dim.size = 1. A map is a list of (key = 1, value = 2).


def _signatures(meta_graph):
    """Returns (inputs, outputs) of each signature, each a dict of name to what is known of it."""
    signatures = _map(_fields(meta_graph), 5)
    return {
        name: tuple({k: _tensor_info(v) for k, v in _map(_fields(body), n).items()} for n in (1, 2))
        for name, body in signatures.items()
        if not name.startswith("__")
    }


def _tensor_info(content):
    fields = dict(_fields(content))
    dims = [dict(_fields(dim)).get(1, 0) for n, dim in _fields(fields.get(3, b"")) if n == 2]
    return {
        "name": fields[1].decode(),
        "shape": tuple(None if size >= 2**63 else size for size in dims),  # -1
    }


def _map(fields, number):
    entries = [dict(_fields(entry)) for n, entry in fields if n == number]
    return {entry[1].decode(): entry.get(2, b"") for entry in entries}


def _fields(content):
    """Returns the fields of a message as (number, value), unread where they are messages [2]."""
    found: list[tuple[int, Any]] = []
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(content, at)
        else:
            size, at = _varint(content, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = content[at : at + size], at + size
        found.append((key >> 3, value))
    return found


def _varint(content, at):
    value = shift = 0
    while True:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
