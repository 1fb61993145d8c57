"""Example requests to the signatures of an export, and the commands that send them.

    serving/requests/decoder-generate.json   the body of a request, in rows
    serving/requests/README.md               a command for each

They are of the newest version: a model with other signatures or shapes brings others.
"""

import base64
import json

from tfvae.files import write_atomically

_FILES = """
Bytes stand as `{"b64": "..."}` in JSON, both ways. To encode a picture, and to see a decoded one:

    printf '{"signature_name": "encode_image", "instances": [{"image_bytes": {"b64": "%s"}}]}' \\
      "$(base64 < picture.png | tr -d '\\n')" |
      curl -s localhost:8501/v1/models/encoder:predict -d @-

    curl -s localhost:8501/v1/models/decoder:predict -d @decoder-decode_image.json |
      python3 -c 'import base64, json, sys; sys.stdout.buffer.write(base64.b64decode(
      json.load(sys.stdin)["predictions"][0]["b64"]))' > decoded.png
"""


def write(folder, version, requests):
    """Writes the requests of a version.

    Args:
        folder: `pathlib.Path` of the folder.
        version: The version that answers them.
        requests: Iterable of golden `Request`, one for each signature.
    """
    texts = {f"{r.part}-{r.signature}.json": _request(r) for r in requests}
    texts["README.md"] = _commands(version, requests)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        with write_atomically(folder / name) as file:
            file.write(text.encode())


def _commands(version, requests):
    curls = "\n".join(
        f"    curl -s localhost:8501/v1/models/{r.part}:predict -d @{r.part}-{r.signature}.json"
        for r in requests
    )
    files = _FILES if any(_holds_files(r) for r in requests) else ""
    return f"# Requests to version {version}\n\nEach signature, two rows:\n\n{curls}\n{files}"


def _request(request):
    """Returns an example request in rows, the body that REST takes."""
    inputs = {key: [_plain(row) for row in array] for key, array in request.inputs.items()}
    names, columns = list(inputs), zip(*inputs.values(), strict=True)
    rows = [dict(zip(names, row, strict=True)) for row in columns]
    return json.dumps({"signature_name": request.signature, "instances": rows}) + "\n"


def _holds_files(request):
    """Says whether a request takes bytes."""
    return any(array.dtype.kind == "S" for array in request.inputs.values())


def _plain(array):
    if array.ndim:
        return [_plain(item) for item in array]
    if array.dtype.kind == "S":
        return {"b64": base64.b64encode(array).decode()}
    return float(str(array)) if array.dtype.kind == "f" else int(array)
