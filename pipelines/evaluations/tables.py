"""The tables of an evaluation: rows of text, for the terminal and the page."""

import dataclasses

_LABELS = {
    "log_likelihood": "log-likelihood",
    "elbo": "ELBO",
    "reconstruction": "reconstruction  E_q[log p(x|z)] = -distortion",
    "kl": "KL(q(z|x) || p(z)) = rate",
}
_MOST_LATENTS = 12


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: Stands above.
        header: One for each column; those after the first are numbers.
        rows: Tuples of text.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(report):
    """Returns the tables of a report, the main one first."""
    found = [_main(report)]
    if "information" in report:  # an evaluation in full
        found.append(_latents(report))
    return found + parts_of(report)


def parts_of(report):
    """Returns the tables of what was asked for besides."""
    return [make(report[name]) for name, make in _PARTS.items() if _has_table(report, name)]


def _has_table(report, name):
    return name in report and (name != "scores" or "auroc" in report[name])


def show(table):
    """Returns a table for `rich`."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table as Shown

    shown = Shown(title=table.title, title_justify="left", box=box.HEAVY_HEAD)
    for index, header in enumerate(table.header):
        shown.add_column(escape(header), justify="right" if index else "left")
    for row in table.rows:
        shown.add_row(*map(escape, row))
    return shown


def _main(report):
    from tfvae.evaluation import collapse

    protocol = report["protocol"]
    title = f"{protocol['dataset']}, {protocol['split']}, {protocol['num_examples']:,} examples"
    rows = []
    for name, label in _LABELS.items():
        if name in report:
            samples = f", {protocol['num_samples']:,} samples" if name == "log_likelihood" else ""
            rows.append(_row(label + samples, report, name))
    if report.get("information") is not None:
        rows += _information(report["information"], protocol["num_examples"])
    if "bits_per_dimension" in report:
        of = "log-likelihood" if "log_likelihood" in report else "ELBO"
        rows.append(_row(f"in bits a dimension, of the {of}", report, "bits_per_dimension", ".4f"))
    if "squared_error" in report:
        rows.append(_row("squared error an element, no nats", report, "squared_error", ".4g"))
    if "misclassified" in report:
        label = "elements whose likeliest value is another"
        rows.append(_row(label, report, "misclassified", ".2%"))
    latents = report.get("latents")
    if latents is not None:
        active = f"{latents['num_active']} of {len(latents['activity'])}"
        rows.append((f"active latents  Var_x(E[z|x]) > {collapse.LEAST_ACTIVITY}", active, ""))
    rows += [_row(name, found, "log_likelihood") for name, found in _baselines(report)]
    return Table(title, ("nats an example", "mean", "standard error"), tuple(rows))


def _information(found, num_examples):
    """Returns the rows of the rate taken apart, and says where N examples are too few for it."""
    some = found["num_examples"]
    of = "" if some == num_examples else f", first {some:,} examples"
    limit, rest = "at most", ""
    if found.get("saturated"):
        limit, rest = "near its most,", ", less with more examples"
    label = f"  information I(n; z), {limit} {found['bound']:.2f}"
    return [
        _row(label, found, "mutual_information"),
        _row(f"  KL(q(z) || p(z)){of}{rest}", found, "marginal_kl"),
    ]


def _baselines(report):
    return report.get("baselines", {}).items()


def _latents(report):
    latents = report["latents"]
    activity, kl = latents["activity"], latents["kl"]
    by = activity if kl is None else kl
    order = sorted(range(len(by)), key=lambda i: -by[i])
    rows = [
        (str(i), "" if kl is None else f"{kl[i]:.3f}", f"{activity[i]:.3f}")
        for i in order[:_MOST_LATENTS]
    ]
    rest = order[_MOST_LATENTS:]
    if rest:
        cost = "" if kl is None else f"{sum(kl[i] for i in rest):.3f}"
        most = f"at most {max(activity[i] for i in rest):.3f}"
        rows.append((f"{len(rest)} more", cost, most))
    title = "The latents, the costliest first" if kl else f"KL {latents['kl_method']}"
    return Table(title, ("latent", "KL, nats", "activity"), tuple(rows))


def _against(against):
    difference = against["difference"]
    rows = []
    for name, label in _LABELS.items():
        if name in difference:
            values = (against["this"][name], against["other"][name], difference[name])
            error = difference[f"{name}_standard_error"]
            rows.append((label, *map(_number, values), _number(error)))
    title = f"Against {against['run']}: same examples, same seeds"
    header = ("nats an example", "this run", "the other", "difference", "its standard error")
    return Table(title, header, tuple(rows))


def _tightness(found):
    rows = [
        _row("log p(x) from below, by annealing", found, "lower"),
        _row("log p(x) from above, by annealing back", found, "upper"),
        _row("gap of the two", found, "gap"),
    ]
    if "log_likelihood" in found:
        bound = f"bound with {found['num_samples']:,} samples"
        rows += [
            _row(bound, found, "log_likelihood"),
            _row("it lacks at least", found, "lack_at_least"),
            _row("it lacks at most", found, "lack_at_most"),
        ]
    title = (
        f"Tightness on {found['num_examples']} examples drawn from the model: "
        f"{found['num_chains']} chains of {found['num_steps']:,} steps"
    )
    return Table(title, ("nats an example", "mean", "standard error"), tuple(rows))


def _disentanglement(found):
    names = [f"{name} ({num})" for name, num in found["factors"].items()]
    rows = []
    for name, score in found["scores"].items():
        each = score.get("by_factor", dict.fromkeys(found["factors"]))
        parts = ["" if value is None else f"{value:.3f}" for value in each.values()]
        rows.append((name, f"{score['value']:.3f}", *parts))
    title = f"Disentanglement, {found['num_examples']:,} examples, seed {found['seed']}"
    return Table(title, ("1 is best", "all", *names), tuple(rows))


def _anomalies(found):
    from tfvae.evaluation import scores

    rows = []
    for name, area in found["auroc"].items():
        label = f"minus {name}" if scores.TERMS.get(name) else name
        rows.append((label, f"{area['value']:.3f}", _number(area["standard_error"], ".3f")))
    about = found["anomalies"]
    title = f"{about['num_anomalies']:,} anomalies among {found['num_examples']:,} examples"
    return Table(title, ("score, more is stranger", "AUROC", "standard error"), tuple(rows))


_PARTS = {
    "against": _against,
    "tightness": _tightness,
    "disentanglement": _disentanglement,
    "scores": _anomalies,
}


def _row(label, values, name, digits=".2f"):
    error = values.get(f"{name}_standard_error")  # older reports lack some
    return label, _number(values[name], digits), _number(error, digits)


def _number(value, digits=".2f"):
    """Returns a number as text; nothing for None, which in a file stands for what isn't finite."""
    return "" if value is None else format(value, digits)
