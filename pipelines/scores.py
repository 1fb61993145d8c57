"""The `--scores` of `pipelines.evaluate`: a row of anomaly scores for each example."""

import argparse
import dataclasses
import functools
import pathlib

from pipelines import bulk, cli, outputs, scored
from pipelines.cli import UsageError
from pipelines.evaluations import work
from tfvae.lazy import numpy as np

#: What scores may be written as; the first is proposed.
SUFFIXES = (".parquet", ".csv", ".npz", ".tfrecord")

_OPTION = "--scores"
_PLAIN = ("index", "label")  # columns that are no scores


@dataclasses.dataclass(frozen=True)
class Request:
    """What the command asks for.

    Attributes:
        path: `pathlib.Path` of the file to write.
        labels: Labels that are anomalies, a tuple of ints; empty for none.
        spec: Spec of a data set of anomalies, or None.
    """

    path: pathlib.Path
    labels: tuple
    spec: str | None


def add_options(parser):
    """Adds the options to a parser."""
    parser.add_argument(
        _OPTION,
        metavar="FILE",
        help=f"write anomaly scores of each example, as one of {', '.join(SUFFIXES)}",
    )
    parser.add_argument(
        "--anomalous",
        type=_labels,
        metavar="LABELS",
        help="these labels of the split are anomalies, such as 3 or 3,5: adds their AUROC",
    )
    parser.add_argument(
        "--anomalies",
        type=cli.spec_of("datasets"),
        metavar="SPEC",
        help="the same split of this data set is anomalies, and is scored too",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace FILE if it is there")


def check(given):
    """Returns the `Request` of parsed arguments, or None; refuses one that can't be met."""
    if given.scores is None:
        wanted = {"--anomalous": given.anomalous, "--anomalies": given.anomalies}
        for option, value in wanted.items():
            if value is not None:
                raise UsageError(f"`{option}` goes with scores. Add `{_OPTION} scores.parquet`.")
        return None
    if given.anomalous is not None and given.anomalies is not None:
        raise UsageError(
            "Anomalies are some labels of the split or another data set. Leave out `--anomalous` "
            "or `--anomalies`."
        )
    path = outputs.check(given.scores, SUFFIXES, given.overwrite, _OPTION)
    bulk.check_suffix(path, _OPTION)
    return Request(path, given.anomalous or (), given.anomalies)


def evaluate(request, examples, vae, *, num_samples, seed, console, terms=None):
    """Scores examples, writes the file, and returns what is added to the report.

    The same command goes on where an interrupted one was.

    Args:
        request: A `Request`.
        examples: List of `anomalies.Group`, the first of the run's own data.
        vae: A `VAE`.
        num_samples: Importance samples an example; 0 scores by the ELBO.
        seed: Int.
        console: A `rich` console, for the progress.
        terms: The terms of the run's own examples, where an evaluation with the same options has
            found them.

    Returns:
        Dict that holds `scores`.
    """
    from tfvae.evaluation import scores

    options = {"num_samples": num_samples, "seed": seed}
    own = examples[0]
    reference = "train" if own.split == "validation" else "validation"
    asked = scored.asked(examples, vae, reference, options)
    compute = functools.partial(_mean, vae, own.dataset, reference, console, options)
    mean = scored.mean(request.path, asked, compute, _OPTION)
    num = sum(group.dataset.num_examples(group.split) for group in examples)
    table = bulk.Table(request.path, asked, num, _OPTION)
    table.num_done, at = scored.place(examples, table.num_done, scores.CHUNK)
    kept: dict = {}
    rows = _rows(examples, vae, mean, options, at, terms)
    if own.anomalous is not None:
        kept = {name: [done] for name, done in table.done().items() if name not in _PLAIN}
        rows = _keeping(rows, kept)
    try:
        with work.counted(console, "scoring", num - table.num_done) as on_rows:
            table.write(_counting(rows, on_rows))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"{table.num_done:,} of {num:,} examples have been scored: the same command goes on."
        ) from None
    scored.forget(request.path)
    found = {
        "file": str(request.path),
        "num_examples": num,
        "typicality": {
            "mean": mean,
            "of": "log_likelihood" if num_samples else "elbo",
            "over": reference,
        },
    }
    if own.anomalous is None:
        return {"scores": found}
    columns = {name: np.concatenate(parts) for name, parts in kept.items()}
    areas = scores.areas(columns, columns["anomalous"] == 1)
    found["anomalies"] = _anomalies(request, examples)
    found["auroc"] = {name: dataclasses.asdict(area) for name, area in areas.items()}
    return {"scores": found}


def _mean(vae, dataset, split, console, options):
    from tfvae.evaluation import scores

    with work.counted(console, f"scoring {split}", dataset.num_examples(split)) as on_rows:
        return scores.mean_bound(vae, dataset, split, **options, on_rows=on_rows)


def _terms(vae, group, options, start, known):
    """Yields the terms of a group in chunks, from an example on; those that are known, or anew."""
    from tfvae.evaluation import scores

    if known is None:
        yield from scores.terms(vae, group.dataset, group.split, **options, start=start)
        return
    for first in range(start, len(known["elbo"]), scores.CHUNK):
        rows = slice(first, first + scores.CHUNK)
        yield {name: known[name][rows] for name in scores.TERMS if name in known}


def _rows(examples, vae, mean, options, at, known):
    """Yields the columns of the file in chunks, from a place on."""
    from tfvae.evaluation import scores

    first, start = at
    for number, group in enumerate(examples[first:], first):
        for found in _terms(vae, group, options, start, None if number else known):
            bound = found[scores.bound_of(found)]
            place = slice(start, start + len(bound))
            columns = {"index": np.arange(start, place.stop)}
            if group.anomalous is not None:
                columns["anomalous"] = group.anomalous[place].astype(np.int32)
            if all(each.labels is not None for each in examples):
                columns["label"] = np.asarray(group.labels[place], np.int32)
            typicality = scores.typicality(bound, mean).astype(np.float32)
            yield {**columns, **found, "typicality": typicality}
            start = place.stop
        start = 0


def _counting(chunks, on_rows):
    """Yields chunks, and says how many rows have been taken."""
    for chunk in chunks:
        yield chunk
        on_rows(len(chunk["index"]))


def _keeping(chunks, kept):
    """Yields chunks, and keeps the numbers that the AUROC is made of."""
    for chunk in chunks:
        for name, column in chunk.items():
            if name not in _PLAIN:
                kept.setdefault(name, []).append(column)
        yield chunk


def _anomalies(request, examples):
    anomalous = np.concatenate([group.anomalous for group in examples])
    counts = {"num_anomalies": int(anomalous.sum()), "num_others": int((~anomalous).sum())}
    if request.spec is None:
        return {"labels": list(request.labels), **counts}
    other = examples[-1].dataset
    return {
        "dataset": str(other.spec),
        "fingerprint": other.fingerprint(),
        "binarization": other.binarization,
        **counts,
    }


def _labels(text):
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"expected labels, whole numbers such as 3 or 3,5, received {text!r}"
        ) from error
