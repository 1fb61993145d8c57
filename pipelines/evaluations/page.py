"""The report of an evaluation as one page of HTML that needs nothing beside it."""

import base64
import json
from html import escape

from pipelines.evaluations.records import as_json
from tfvae.figures import images

NAME = "report.html"

_STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto;
       padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem; }
caption { text-align: left; font-weight: 600; padding: 0.3rem 0; }
th, td { padding: 0.2rem 0.9rem 0.2rem 0; border-bottom: 1px solid #ddd; text-align: left;
         vertical-align: top; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
img { max-width: 100%; height: auto; }
figure { margin: 1rem 0; } figcaption { color: #555; font-size: 0.9rem; }
.alarm { border-left: 4px solid #cc6677; padding: 0.4rem 1rem; background: #fbf1f2; }
pre { overflow-x: auto; background: #f6f6f6; padding: 0.8rem; font-size: 0.8rem; }
"""

#: What each picture shows, in the order of the page.
_CAPTIONS = {
    "decomposition": "Where the nats go: distortion, and the rate taken apart.",
    "latents": "What each latent costs.",
    "reconstructions": "Examples and their reconstructions.",
    "samples": "Samples from the prior.",
    "curves": "How it came about, of metrics.jsonl.",
}


def write(path, title, report, tables, pictures):
    """Writes the page; it is there whole or not at all.

    Args:
        path: `pathlib.Path` of the file.
        title: Names the run.
        report: Dict as `work.evaluate` returns it.
        tables: List of `tables.Table`.
        pictures: Dict of name to uint8 `[height, width, 3]`.
    """
    from tfvae.files import write_atomically

    with write_atomically(path) as file:
        file.write(page(title, report, tables, pictures).encode())


def page(title, report, tables, pictures):
    """Returns the page as text; the arguments are those of `write`."""
    alarm = report["latents"]["alarm"]
    main, *others = map(_table, tables)
    figures = "\n".join(_figure(name, pictures[name]) for name in _CAPTIONS if name in pictures)
    body = "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            main,
            f'<p class="alarm">{escape(alarm)}</p>' if alarm else "",
            "<h2>Figures</h2>",
            figures,
            "<h2>More numbers</h2>",
            *others,
            "<h2>Protocol</h2>",
            _protocol(report["protocol"]),
            "<details><summary>The whole report as JSON</summary>",
            f"<pre>{escape(json.dumps(as_json(report), indent=2))}</pre></details>",
        ]
    )
    # Nothing is fetched: the pictures are in the page, and it says so to the browser.
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def _table(table):
    header = "".join(_cell("th", text, index) for index, text in enumerate(table.header))
    rows = "\n".join(
        f"<tr>{''.join(_cell('td', text, index) for index, text in enumerate(row))}</tr>"
        for row in table.rows
    )
    return (
        f"<table>\n<caption>{escape(table.title)}</caption>\n<thead><tr>{header}</tr></thead>\n"
        f"<tbody>\n{rows}\n</tbody>\n</table>"
    )


def _cell(tag, text, index):
    kind = ' class="number"' if index else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"


def _figure(name, picture):
    content = base64.b64encode(images.png_bytes(picture, scale=1)).decode()
    caption = escape(_CAPTIONS[name])
    return (
        f'<figure><img src="data:image/png;base64,{content}" alt="{caption}" '
        f'width="{picture.shape[1]}" height="{picture.shape[0]}">\n'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _protocol(protocol):
    rows = "\n".join(
        f"<tr><th>{escape(name.replace('_', ' '))}</th><td>{escape(_text(value))}</td></tr>"
        for name, value in protocol.items()
    )
    return f"<table>\n<tbody>\n{rows}\n</tbody>\n</table>"


def _text(value):
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    return str(value)
