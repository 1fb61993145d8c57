"""The model card of a release, in Markdown: what people read before they use a model."""


def text(manifest):
    """Returns the card.

    Args:
        manifest: Content of the release's manifest.
    """
    sections = (
        *(_head, _columns, _samples, _metrics, _data, _signatures, _variants),
        *(_use, _gates, _stack, _files),
    )
    return "\n\n".join(section for make in sections if (section := make(manifest))) + "\n"


def _head(manifest):
    model = manifest["model"]
    known = f"\n| condition c | `{model['condition']}` |" if "condition" in model else ""
    return (
        f"# {manifest['name']}, version {manifest['version']}\n\n"
        f"A variational autoencoder of examples of shape {tuple(model['event_shape'])}, with "
        f"{model['latent_size']} latents and {model['num_weights']:,} weights. Published "
        f"{manifest['created']}.\n\n"
        f"| part | |\n|---|---|\n"
        f"| prior p(z) | `{model['prior']}` |\n"
        f"| posterior q(z given x) | `{model['posterior']}` |\n"
        f"| likelihood p(x given z) | `{model['likelihood']}` |\n"
        f"| networks | `{model['network']}` |\n"
        f"| objective | `{model['objective']}` |{known}"
    )


def _columns(manifest):
    if "columns" not in manifest["model"]:
        return ""
    rows = [
        f"| {place} | {column['name']} | {column['kind']} | {_values(column)} |"
        for place, column in enumerate(manifest["model"]["columns"])
    ]
    return "\n".join(
        [
            "## Columns\n",
            "Encoders take rows of these columns as they came, and decoders return them. A "
            "category stands as its code.\n",
            "| place | column | kind | values |\n|---|---|---|---|",
            *rows,
        ]
    )


def _values(column):
    """Returns what the values of a column are, in words."""
    if "categories" in column:
        pairs = (f"{code} {text}" for code, text in enumerate(column["categories"]))
        return ", ".join(pairs).replace("|", "\\|")
    return f"mean {column['mean']:.6g}, standard deviation {column['stddev']:.6g}"


def _samples(manifest):
    if any(name.endswith("/samples.png") for name in manifest["files"]):
        return "![means of new examples, drawn from the prior](samples.png)"
    if not manifest["samples"]:
        return ""
    names = [f"x {index}" for index in range(len(manifest["samples"][0]))]
    rows = [[f"{value:.4g}" for value in row] for row in manifest["samples"]]
    lines = [f"| {' | '.join(cells)} |" for cells in (names, ["---"] * len(names), *rows)]
    return "\n".join(["New examples, drawn from the prior and from p(x given z):\n", *lines])


def _metrics(manifest):
    rows = []
    for evaluation in manifest["evaluations"]:
        protocol = evaluation["protocol"]
        for metric in ("elbo", "reconstruction", "kl", "log_likelihood"):
            if metric in evaluation:
                error = evaluation.get(f"{metric}_standard_error")
                spread = "" if error is None else f" ± {error:.2f}"
                how = f", {protocol['num_samples']:,} samples" if "log" in metric else ""
                rows.append(
                    f"| {metric}{how} | {evaluation[metric]:.2f}{spread} | {protocol['split']}, "
                    f"{protocol['num_examples']:,} examples | `{protocol['dataset']}` |"
                )
    if not rows:
        return "## Metrics\n\nThis model was published without an evaluation."
    return "\n".join(
        [
            "## Metrics\n",
            "Nats an example, summed over the event, with the standard error of the mean. Numbers "
            "compare only within one protocol.\n",
            "| metric | value | examples | data |\n|---|---|---|---|",
            *rows,
        ]
    )


def _data(manifest):
    data = manifest["dataset"]
    if data["spec"] is None:
        return "## Data\n\nNot recorded."
    return f"## Data\n\n`{data['spec']}`, fingerprint `{data['fingerprint']}`."


def _signatures(manifest):
    rows = [
        f"| `{part['path']}` | `{name}` | {_tensors(signature['inputs'])} | "
        f"{_tensors(signature['outputs'])} |"
        for parts in manifest["formats"].values()
        for part in parts.values()
        for name, signature in part["signatures"].items()
    ]
    meanings = {
        (t["name"], t["meaning"], t["range"]): None
        for parts in manifest["formats"].values()
        for part in parts.values()
        for signature in part["signatures"].values()
        for t in (*signature["inputs"], *signature["outputs"])
    }
    listed = [f"- `{name}`: {meaning}; {values}." for name, meaning, values in meanings]
    return "\n".join(
        [
            "## Signatures\n",
            "Dimension 0 of each input and output is the batch, N rows.\n",
            "| file | signature | takes | gives |\n|---|---|---|---|",
            *rows,
            "",
            *listed,
        ]
    )


def _tensors(tensors):
    return ", ".join(
        f"`{t['name']}` {t['dtype']}[{', '.join(['N', *map(str, t['shape'][1:])])}]"
        for t in tensors
    )


def _variants(manifest):
    rows = [
        f"| `{row['part']}` | {row['variant']} | {row['bytes']:,} | {row['largest_error']:.2g} | "
        f"{row['mean_error']:.2g} | {_nats(row['elbo_change'])} | {row['latency_us']:g} |"
        for measured in manifest["variants"].values()
        for row in measured
    ]
    if not rows:
        return ""
    return "\n".join(
        [
            "## Variants\n",
            "Errors of the first signature and change of the ELBO on rows of the data, each file "
            "with the other part as trained; time of one row on the machine of the export.\n",
            "| part | variant | bytes | largest error | mean error | ELBO, nats | row, µs |\n"
            "|---|---|---|---|---|---|---|",
            *rows,
        ]
    )


def _nats(change):
    return "not known" if change is None else f"{change:+.4f}"


def _use(manifest):
    del manifest
    return (
        "## Use\n\n"
        "For encoding examples like those of the data above, and for drawing new ones. What lies "
        "outside that data, the model describes badly and without saying so; its samples repeat "
        "what is frequent or biased in the data. `golden.json` beside this card holds requests "
        "with the answers that a deployment must give."
    )


def _gates(manifest):
    if not manifest["gates"]:
        return ""
    lines = [
        f"- {'passed' if gate['passed'] else 'refused'}: {gate['gate']}. {gate['reason']}"
        for gate in manifest["gates"]
    ]
    return "\n".join(["## Gates\n", *lines])


def _stack(manifest):
    rows = [f"| {name} | {version} |" for name, version in manifest["stack"].items()]
    return "\n".join(["## Made with\n", "| package | version |\n|---|---|", *rows])


def _files(manifest):
    rows = [
        f"| `{name}` | {file['bytes']:,} | `{file['sha256']}` |"
        for name, file in manifest["files"].items()
    ]
    return "\n".join(["## Files\n", "| file | bytes | SHA-256 |\n|---|---|---|", *rows])
