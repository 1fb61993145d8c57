"""The table of members as Markdown."""

import re

from pipelines.membership import docstrings
from pipelines.membership.plan import BASE, ROLES

_TITLES = {role: f"{family.replace('_', ' ')}: `--{role}`" for role, family in ROLES.items()}
_TITLES |= {"likelihood": "likelihoods: `--likelihood`", "posterior": "posteriors: `--posterior`"}
_HEADER = ("spec", "formula", "data", "test NLL", "bits/dim", "reference")


def page(rows, budget, command, versions):
    """Returns the page.

    Args:
        rows: List of (`Entry`, what `trial.run` answered).
        budget: The `Budget` of all of them.
        command: The command that made it.
        versions: Name of a package -> its version.

    Returns:
        Text.
    """
    parts = [_introduction(budget, command, versions)]
    for role in ROLES:
        table = [(entry, answer) for entry, answer in rows if entry.role == role]
        if table:
            parts.append(f"## {_TITLES[role][0].upper()}{_TITLES[role][1:]}\n\n{_table(table)}")
    return "\n\n".join(parts) + "\n"


def _introduction(budget, command, versions):
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    around = ", ".join(f"{role} `{BASE[role]}`" for role in ROLES if BASE[role])
    return f"""# Members, and what each reaches after the same short budget

Each row is a model of its own whose parts are {around}, but for the one that the row names: \
{BASE["latent_size"]} latents, {budget.epochs} epochs of {budget.num_train:,} MNIST images in \
batches of {BASE["batch_size"]}, Adam at {BASE["learning_rate"]:g}, seed {BASE["seed"]}, the best \
epoch of those by the validation split. Such a budget shows that a member learns and roughly how \
fast; it doesn't say which is the best after a long training, for which a schedule, a larger \
network and many times the epochs are usual.

**Test NLL** is minus the importance-weighted estimate of log p(x) with {budget.num_samples} \
samples an image, in nats, on the first {budget.num_test:,} test images, with the standard error \
of the mean over images: an upper bound of the NLL. For a condition c it is that of p(x|c).

**Numbers of different data don't compare in nats.** The column says what the images are:

| data | values of a pixel of grey level k | log p(x\\|z) is |
|---|---|---|
| binary | 1 with probability k/255, drawn anew each epoch, and once for the test images | a mass |
| levels | k/255 | a mass |
| counts | k | a mass |
| density | (k + u)/256, u uniform on [0, 1), drawn once | a density |

**Bits/dim** puts the last three into one unit: the NLL of the 256 levels of a pixel, in bits. \
For densities it is an upper bound of that, NLL/784 in bits plus 8 \
([Theis et al., section 3.1](https://arxiv.org/abs/1511.01844)). Binary images have none.

Made with {named}, by

    {command}

which trains the rows that are new, and writes formulas and references as the classes have them."""


def _table(rows):
    lines = [_line(_HEADER), _line(["---"] * 2 + ["---"] + ["---:"] * 2 + ["---"])]
    return "\n".join(lines + [_line(_cells(entry, answer)) for entry, answer in rows])


def _cells(entry, answer):
    text = docstrings.of(entry.member)
    formula = "<br>".join(_code(line) for line in docstrings.formula(text) if line.strip())
    sources = "; ".join(map(_source, docstrings.references(text)))
    form, bits = answer.get("form", ""), answer.get("bits_per_dimension")
    bits = "" if bits is None else f"{bits:.3f}"
    return _code(entry.spec), formula, form, _nll(answer), bits, sources


def _nll(answer):
    if "refusal" in answer:
        # Its rule: what follows says what was received, and what a user would do.
        rule = re.split(r"(?<=[.:]) (?=[A-Z])", " ".join(answer["refusal"].split()))[0]
        return f"none: {_escaped(rule.rstrip('.:'))}"
    if "nll" not in answer:
        return f"none: no density; -log p(x\\|z) {-answer['reconstruction']:.2f}"
    return f"{answer['nll']:.2f} ± {answer['standard_error']:.2f}"


def _source(reference):
    text = _escaped(reference.text)
    return f"[{text}]({reference.link})" if reference.link else text


def _code(text):
    return f"`` {_escaped(text)} ``" if "`" in text else f"`{_escaped(text)}`"


def _escaped(text):
    r"""Returns text for a cell; Markdown reads `\|` as a bar even within code.

    Examples:
        >>> print(_escaped("p(x|z)"))
        p(x\|z)
    """
    return text.replace("|", "\\|")


def _line(cells):
    return f"| {' | '.join(cells)} |"
