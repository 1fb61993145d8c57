"""What the inputs and outputs of an export mean, in words and numbers: for manifests and cards."""

from tfvae.exporters import golden

_INT32 = "-2147483648 to 2147483647"


def describe(vae):
    """Returns the range and the meaning of every input and output that a signature may have.

    Args:
        vae: The model.

    Returns:
        Dict of (part, name) to a dict of `range` and `meaning`. The part is "encoder" where the
        name speaks of codes, "decoder" where it speaks of examples.
    """
    support = vae.likelihood_layer.support
    rows = "a row of the columns, as it came" if vae.transform is not None else "an example"
    examples = "as in the table" if vae.transform is not None else support
    x = f"{rows}: what the model was trained on"
    missing = ", NaN where a value is missing" if vae.mask_missing else ""
    shared = {
        "x": _entry(examples, x),
        "z": _entry("the reals", f"a code of {vae.latent_size} numbers"),
        "seed": _entry(_INT32, "the seed of the row: its draw depends on it alone"),
        "eps": _entry("the reals", "noise of the row: independent standard normals"),
        "u": _entry("0 to below 1", "noise of the row: independent uniforms"),
        "image": _entry("0 to 255", f"{rows}, as pixels"),
        "image_bytes": _entry(
            f"PNG files; {_measures(vae.event_shape)}", f'{rows}; in JSON {{"b64": "..."}}'
        ),
    }
    if vae.condition is not None:
        shared["condition"] = _entry(vae.condition.range, vae.condition.meaning)
    return {
        **{("encoder", name): entry for name, entry in shared.items()},
        **{("decoder", name): entry for name, entry in shared.items()},
        ("encoder", "x"): _entry(examples, f"{x}{missing}"),
        ("encoder", "mean"): _entry("the reals", f"mean of q(z|x), {vae.posterior_layer.spec}"),
        ("encoder", "stddev"): _entry("above 0", "standard deviation of q(z|x)"),
        ("decoder", "mean"): _entry(
            f"between the least and the largest of {examples}",
            f"mean of p(x|z), {vae.likelihood_layer.spec}",
        ),
        ("decoder", "stddev"): _entry("above 0", "standard deviation of p(x|z)"),
    }


def _measures(event_shape):
    """Returns what a picture measures, such as "height 28, width 28, channels 1"."""
    names = ("height", "width", "channels")
    return ", ".join(f"{name} {size}" for name, size in zip(names, event_shape, strict=False))


def signatures(described, endpoints, requests):
    """Returns what the signatures of a part take and give.

    Args:
        described: What `describe` returns.
        endpoints: Dict of part to a tuple of `Endpoint`.
        requests: Dict of (part, signature) to a golden `Request`: where outputs are known from.

    Returns:
        Dict of part to a dict of signature to `inputs` and `outputs`, lists of dicts.
    """
    return {
        part: {
            endpoint.name: {
                "inputs": [
                    _tensor(described, part, spec.name, spec.dtype.name, spec.shape[1:])
                    for spec in endpoint.inputs
                ],
                "outputs": [
                    _tensor(described, part, name, golden.dtype_name(array), array.shape[1:])
                    for name, array in requests[part, endpoint.name].outputs.items()
                ],
            }
            for endpoint in listed
        }
        for part, listed in endpoints.items()
    }


def _tensor(described, part, name, dtype, shape):
    known = described.get((part, name), _entry("not stated", "an output of this likelihood"))
    return {"name": name, "dtype": dtype, "shape": [None, *shape], **known}


def _entry(values, meaning):
    return {"range": values, "meaning": meaning}
