"""The charts of an evaluation, as pictures."""

import numpy as np

from tfvae.evaluation import collapse
from tfvae.figures import canvas

_WIDTH, _HEIGHT = 1000, 420  # pixels
_ACTIVE, _IDLE = "#332288", "#bbbbbb"
_PARTS = ("#332288", "#117733", "#88ccee")


def charts_of(report, records):
    """Draws the charts of a report.

    Args:
        report: Dict as `work.evaluate` returns it.
        records: Lines of `metrics.jsonl`, dicts.

    Returns:
        Dict of name to uint8 `[height, width, 3]`.
    """
    found = {"latents": _latents(report["latents"]), "decomposition": _decomposition(report)}
    curves = _curves(records)
    return found if curves is None else {**found, "curves": curves}


def _chart(title, x_label, y_label, height=_HEIGHT):
    figure = canvas.new_chart(_WIDTH, height)
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    return figure, axes


def _latents(latents):
    """Draws a bar for each latent, the highest first, in grey where it isn't active."""
    known = latents["kl"] is not None
    values = np.array(latents["kl"] if known else latents["activity"])
    order = np.argsort(-values, kind="stable")
    active = collapse.active(latents["activity"])
    colours = [_ACTIVE if active[i] else _IDLE for i in order]
    what = "KL(q(z_i|x) || p(z_i)), nats" if known else "activity Var_x(E[z_i|x])"
    num = latents["num_active"]
    grey = "" if num == len(values) else "; grey: the codes of the others don't vary"
    title = f"{num} of {len(values)} latents are active{grey}"
    with canvas.style():
        figure, axes = _chart(title, "latent", what)
        axes.bar(np.arange(len(values)), values[order], color=colours)
        step = -(-len(values) // 25)
        axes.set_xticks(np.arange(len(values))[::step], [str(i) for i in order[::step]])
        return canvas.pixels(figure)


def _decomposition(report):
    """Draws minus the ELBO as a bar of its parts, and minus the log-likelihood as a line.

    A density has nats of either sign: then the parts stand side by side, from zero.
    """
    information = report.get("information")
    parts = [("distortion -E_q[log p(x|z)]", report["distortion"])]
    num = report["protocol"]["num_examples"]
    if information is None or information["num_examples"] < num:  # of all examples, or not at all
        parts.append(("rate KL(q(z|x) || p(z))", report["rate"]))
    else:
        least, most = (" at least", " at most") if information.get("saturated") else ("", "")
        parts.append((f"mutual information{least}", information["mutual_information"]))
        parts.append((f"KL(q(z) || p(z)){most}", information["marginal_kl"]))
    stacked = all(value >= 0 for _, value in parts)
    with canvas.style():
        figure, axes = _chart("Minus the ELBO, taken apart", "nats an example", "", 240)
        start = 0.0
        for row, ((name, value), colour) in enumerate(zip(parts, _PARTS, strict=False)):
            place = 0 if stacked else -row
            label = f"{name}: {value:.2f}"
            axes.barh(place, value, left=start, height=0.6, color=colour, label=label)
            start += value if stacked else 0.0
        if "log_likelihood" in report:
            label = f"-log p(x), {report['protocol']['num_samples']:,} samples"
            axes.axvline(-report["log_likelihood"], color="black", linestyle="--", label=label)
        axes.set_yticks([])
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        return canvas.pixels(figure)


def _curves(records):
    """Draws the ELBO of training and validation, epoch by epoch; None without any."""
    lines = {
        part: [(r["epoch"], r[part]["elbo"]) for r in records if "elbo" in r.get(part, {})]
        for part in ("train", "validation")
    }
    if not any(lines.values()):
        return None
    with canvas.style():
        figure, axes = _chart("ELBO while it learned", "epoch", "nats an example")
        for (part, points), colour in zip(lines.items(), _PARTS, strict=False):
            if points:
                mark = "o" if len(points) == 1 else ""
                axes.plot(*zip(*points, strict=True), color=colour, label=part, marker=mark)
        # The first epochs, far below, would flatten what follows.
        values = [value for points in lines.values() for _, value in points]
        low, high = np.quantile(values, 0.1), max(values)
        if len(values) > 10 and high > low:
            axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low))
        axes.legend(frameon=False)
        return canvas.pixels(figure)
