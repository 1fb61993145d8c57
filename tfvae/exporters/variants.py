"""Variants of LiteRT files: how each is made smaller or faster, and what it costs.

    float32        any batch size: the file that the others are measured against
    batch1         float32 for one row: what LiteRT.js and delegates for GPUs ask for
    float16        weights in 16 bits
    dynamic_int8   weights in 8 bits, activations in float32
    int8           weights and activations in 8 bits; the main signature alone

Each keeps float32 inputs and outputs.
"""

import dataclasses
import json
import math
import pathlib

import numpy as np
import tensorflow as tf

from tfvae import masking
from tfvae.exporters.base import ExportError

_REPEATS = 200
_VERSION = '"version": {:>10}'
_UNKNOWN = _VERSION.format(0).encode()


def endpoints_of(variant, endpoints):
    """Returns the endpoints that a variant has, with their input shapes."""
    if variant == "int8":
        return endpoints[:1]  # several signatures don't quantise together
    if variant != "batch1":
        return endpoints
    return tuple(
        dataclasses.replace(
            e, inputs=tuple(tf.TensorSpec((1, *s.shape[1:]), s.dtype, s.name) for s in e.inputs)
        )
        for e in endpoints
    )


def representative(part, endpoint, materials, folder):
    """Writes the inputs that int8 is calibrated on; returns the path of the file."""
    path = pathlib.Path(folder, f"{part}_representative.npz")
    rows = materials.rows() if part == "encoder" else materials.codes()
    np.savez(path, **_named(endpoint, rows, materials))
    return path


def metadata(part, variant, materials):
    """Returns what is written into a file, JSON with room for the version."""
    vae = materials.vae
    content = {
        "name": materials.name,
        "part": part,
        "variant": variant,
        "event_shape": list(vae.event_shape),
        "latent_size": vae.latent_size,
        "posterior": str(vae.posterior_layer.spec),
        "likelihood": str(vae.likelihood_layer.spec),
        "prior": str(vae.prior_layer.spec),
        "ranges": {
            name: entry["range"] for (of, name), entry in materials.described.items() if of == part
        },
    }
    return f"{{{_UNKNOWN.decode()}, {json.dumps(content)[1:]}"


def stamp(path, version):
    """Writes the version into the metadata of a file, in the room that was left for it."""
    content = pathlib.Path(path).read_bytes()
    if _UNKNOWN in content:
        pathlib.Path(path).write_bytes(content.replace(_UNKNOWN, _VERSION.format(version).encode()))


def assess(files, endpoints, materials, process, folder):
    """Runs variants on representative rows and compares them with the model.

    Args:
        files: Dict of (part, variant) to the path of a file.
        endpoints: Dict of part to the `Endpoint`s of the float32 file.
        materials: A `Materials`.
        process: A `Fresh` process.
        folder: An existing folder for inputs and answers.

    Returns:
        List of a dict for each file: part, variant, bytes, largest and mean error of the main
        signature, change of the ELBO in nats (None where it isn't known) and latency of a row.

    Raises:
        ExportError: If a variant fails, or gives values that are not finite.
    """
    given = {part: _inputs(part, materials) for part in endpoints}
    jobs = []
    for (part, variant), path in files.items():
        endpoint = endpoints[part][0]
        inputs = pathlib.Path(folder, f"{part}_{variant}_rows.npz")
        np.savez(inputs, **_named(endpoint, given[part], materials))
        answers = inputs.with_name(f"{part}_{variant}_measured.npz")
        jobs.append([str(path), endpoint.name, str(inputs), str(answers)])
    runtime = pathlib.Path(__file__).with_name("runtimes") / "litert.py"
    process.run("measure", [str(runtime), _REPEATS, jobs])()
    rows = []
    for (part, variant), job in zip(files, jobs, strict=True):
        endpoint = endpoints[part][0]
        with np.load(job[-1]) as measured:
            outputs = {name: measured[name] for name in measured if name != "!seconds"}
            latency = 1e6 * float(np.median(measured["!seconds"]))
        inputs = _named(endpoint, given[part], materials)
        answer = endpoint.function(**{name: tf.constant(array) for name, array in inputs.items()})
        want = {name: tensor.numpy() for name, tensor in answer.items()}
        rows.append(
            {
                "part": part,
                "variant": variant,
                "bytes": pathlib.Path(job[0]).stat().st_size,
                **_errors(part, variant, want, outputs),
                "elbo_change": _elbo_change(part, materials, want, outputs),
                "latency_us": round(latency, 1),
            }
        )
    return rows


def _named(endpoint, rows, materials):
    """Returns rows as the inputs of an endpoint by name, with their conditions if it takes them."""
    first, *others = (spec.name for spec in endpoint.inputs)
    return {first: rows, **{name: materials.known(len(rows)) for name in others}}


def _inputs(part, materials):
    """Returns rows to measure on: data, and for the decoder the codes of that data."""
    if part == "encoder":
        return materials.rows()
    num = len(materials.rows())
    return materials.codes()[num:]


def _errors(part, variant, want, outputs):
    for name, array in outputs.items():
        if not np.isfinite(array).all():
            raise ExportError(
                f"The variant {variant} of the {part} gives values in `{name}` that are not "
                f"finite. Leave it out of `variants`. Nothing has been published."
            )
    errors = np.concatenate([np.abs(outputs[name] - want[name]).ravel() for name in want])
    return {"largest_error": float(errors.max()), "mean_error": float(errors.mean())}


def _elbo_change(part, materials, want, outputs):
    """Returns how many nats the ELBO of the rows changes, or None where moments don't tell it.

    The noise is the same on both sides, so that the difference is that of the files.
    """
    vae, x = materials.given(), materials.x()
    if materials.vae.transform is not None and part == "decoder":
        return None  # the file gives rows: the density is that of the examples
    layer = vae.posterior_layer if part == "encoder" else vae.likelihood_layer
    bounds = []
    for answer in (want, outputs):
        rebuilt = layer.of_moments({name: tf.constant(answer[name]) for name in layer.moments})
        if rebuilt is None:
            return None
        if part == "encoder":
            eps = np.random.default_rng(0).standard_normal(answer["mean"].shape).astype("float32")
            z = rebuilt.mean() + rebuilt.stddev() * eps
            terms = vae.likelihood(z).log_prob(x) + vae.prior().log_prob(z) - rebuilt.log_prob(z)
        else:
            observed = masking.Observed(rebuilt) if vae.mask_missing else rebuilt
            terms = observed.log_prob(x)
        bounds.append(float(tf.reduce_mean(terms)))
    change = bounds[1] - bounds[0]
    return change if math.isfinite(change) else None
