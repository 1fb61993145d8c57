"""The results of a benchmark as tables for the terminal."""

from rich.table import Table

from pipelines.benchmarks import contestants

OURS = "tfvae_fit"
#: Epochs of all works are reported by this many images.
_UNIT = 60_000


def training(result):
    """Returns the table of a work: one row a trainer, the fastest first."""
    work, ceiling = result["work"], result["products"]
    table = _table(
        f"Training: {work['title']}; batch {work['batch_size']}, "
        f"{work['num_images']:,} images an epoch",
        "trainer", f"s / {_UNIT:,} images", "least to most", "images/s",
        "tfvae against it", "of the products", "test ELBO, nats", "first epoch, s",
    )  # fmt: skip
    titles = contestants.find("trainers")
    ours = result["trainers"].get(OURS)
    for name, row in _by_speed(result["trainers"]):
        scale = _UNIT / work["num_images"]
        epochs = [seconds * scale for seconds in row["epoch_seconds"]["all"]]
        table.add_row(
            titles[name].title,
            f"{row['epoch_seconds']['median'] * scale:.2f}",
            f"{min(epochs):.2f} - {max(epochs):.2f}",
            f"{row['images_per_second']:,.0f}",
            _ratio(ours, row),
            f"{row['fraction_of_products']:.0%}" if ceiling else "",
            f"{row['elbo']:.2f}",
            f"{row['first_epoch_seconds']:.1f}",
        )
    if ceiling:
        table.caption = _products(ceiling)
    return table


def feeds(result):
    """Returns the table of the feeds: one row for each place that images come from."""
    work = result["work"]
    table = _table(
        f"Feeding: {work['title']}; batch {work['batch_size']}, {work['num_images']:,} images an "
        f"epoch, read before",
        "images from", "s an epoch", "least to most", "images/s", "of memory's",
    )  # fmt: skip
    for name, row in result["feeds"].items():
        epochs = row["epoch_seconds"]
        table.add_row(
            name,
            f"{epochs['median']:.2f}",
            f"{min(epochs['all']):.2f} - {max(epochs['all']):.2f}",
            f"{row['images_per_second']:,.0f}",
            f"{row['of_memory']:.0%}" if "of_memory" in row else "",
        )
    return table


def latency(result):
    """Returns the table of the runtimes: one row for each part and batch size."""
    titles = contestants.find("runtimes")
    names = list(dict.fromkeys(name for call in result["calls"].values() for name in call))
    table = _table(
        "Exports of 784-500-20-500-784: a call from Python, and images/s",
        "part, batch", *(titles[name].title for name in names),
    )  # fmt: skip
    for case, call in result["calls"].items():
        table.add_row(case, *(_call(call.get(name)) for name in names))
    return table


def startup(result):
    """Returns the table of the start-up times."""
    table = _table("Start-up, a fresh Python each time", "command", "s")
    for name, seconds in result["commands"].items():
        table.add_row(name, f"{seconds['median']:.2f}")
    return table


def binarization(parts):
    """Returns what drawing the pixels anew costs each trainer, as lines; none if not measured."""
    if not {"aevb", "aevb_binarized"} <= set(parts):
        return []
    grey, drawn = (parts[name]["trainers"] for name in ("aevb", "aevb_binarized"))
    ratios = [
        f"{name} {drawn[name]['epoch_seconds']['median'] / row['epoch_seconds']['median']:.2f}"
        for name, row in grey.items()
        if name in drawn
    ]
    return [
        f"An epoch of binarized images, drawn anew, over one of grey images: {', '.join(ratios)}"
    ]


def _table(title, first, *others):
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _by_speed(trainers):
    return sorted(trainers.items(), key=lambda item: -item[1]["images_per_second"])


def _ratio(ours, row):
    if ours is None:
        return ""
    return f"{ours['images_per_second'] / row['images_per_second']:.2f} x"


def _products(ceiling):
    rates = ", ".join(
        f"{name} {seconds['median'] * 1e3:.2f} ms" for name, seconds in ceiling["libraries"].items()
    )
    return (
        f"Matrix products of a step: {rates}; {ceiling['flops_per_second'] / 1e9:.0f} GFLOP/s by "
        f"{ceiling['fastest']}, which is 100 %"
    )


def _call(found):
    if found is None:
        return ""
    milliseconds = found["call_seconds"]["median"] * 1e3
    return f"{milliseconds:.3f} ms, {found['images_per_second']:,.0f}/s"
