"""An evaluation in TensorBoard, under `RUN/evaluation`."""

FOLDER = "evaluation"


def write(directory, step, report, pictures):
    """Writes the numbers, the latents and the charts of an evaluation.

    Args:
        directory: `pathlib.Path` of the run.
        step: Iterations of the optimizer.
        report: Dict as `work.evaluate` returns it.
        pictures: Dict of name to uint8 `[height, width, 3]`.
    """
    import numpy as np
    import tensorflow as tf

    split, latents = report["protocol"]["split"], report["latents"]
    writer = tf.summary.create_file_writer(str(directory / FOLDER))
    with writer.as_default(step=step):
        for name, value in _scalars(report).items():
            tf.summary.scalar(f"{split}/{name}", value)
        for name in ("activity", "kl"):
            if latents[name] is not None:
                tf.summary.histogram(f"{split}/latent_{name}", latents[name])
        for name, picture in pictures.items():
            tf.summary.image(f"{split}/{name}", picture[np.newaxis])
    writer.close()


def _scalars(report):
    """Returns the numbers of a report by name, those of its parts among them."""
    found = dict(report)
    information = report.get("information") or {}
    for name in ("mutual_information", "marginal_kl"):
        found |= {part: information.get(part) for part in (name, f"{name}_standard_error")}
    found["active_latents"] = report["latents"]["num_active"]
    for name, value in report.get("tightness", {}).items():
        if name != "seed" and not name.startswith("num_"):
            found[f"tightness/{name}"] = value
    for name, score in report.get("disentanglement", {}).get("scores", {}).items():
        found[f"disentanglement/{name}"] = score["value"]
    for name, area in report.get("scores", {}).get("auroc", {}).items():
        found[f"auroc/{name}"] = area["value"]
        found[f"auroc/{name}_standard_error"] = area["standard_error"]
    for name, value in report.get("against", {}).get("difference", {}).items():
        found[f"against/{name}"] = value
    for baseline, numbers in report.get("baselines", {}).items():
        for name in ("log_likelihood", "log_likelihood_standard_error"):
            found[f"baselines/{baseline}/{name}"] = numbers.get(name)
    return {name: value for name, value in found.items() if isinstance(value, int | float)}
