"""Whether a set of TensorFlow Datasets can be downloaded, said in seconds rather than minutes.

The library asks ten times for each file, with growing pauses: three minutes and a half. So the host
is asked once before, by the same package and thus by the same way: through the proxy that
HTTP_PROXY and HTTPS_PROXY name, but for the hosts in NO_PROXY.
"""

import contextlib
import importlib
import queue
import re
import threading
from typing import Any
from urllib.parse import urlsplit

from tfvae.datasets import extras

_PATIENCE = (3.0, 8.0)  # seconds to connect, and for the first byte
_MOST = 12.0  # looking up a name has no limit of its own
_USUAL = "https://storage.googleapis.com"  # for a builder that doesn't list its files
# What a proxy says that can't reach the host; and servers that are out of order.
_NO_WAY = (407, 502, 503, 504)
_REASON = re.compile(r"\[Errno -?\d+\] ([^'\")]+)|(Tunnel connection failed: [^'\")]+)")


def unreachable(urls):
    """Returns why files can't be downloaded from here, a text, or None if they can.

    Args:
        urls: Of the files; the first one by HTTP is asked for. None if they aren't known.
    """
    requests = extras.load("requests", "tfds")
    url = next((url for url in urls or () if url.startswith("http")), _USUAL)
    answers: queue.SimpleQueue = queue.SimpleQueue()

    def ask():
        try:
            with requests.get(url, stream=True, timeout=_PATIENCE) as response:
                status = response.status_code
            answers.put(f"HTTP status {status}" if status in _NO_WAY else None)
        except Exception as error:  # whatever it is, there is no way
            answers.put(reason_of(error))

    threading.Thread(target=ask, daemon=True).start()
    try:
        reason = answers.get(timeout=_MOST)
    except queue.Empty:
        reason = f"no answer in {_MOST:g} seconds"
    if reason is None:
        return None
    return f"{urlsplit(url).hostname} can't be reached{_by_proxy(requests, url)} ({reason})"


def reason_of(error):
    """Returns what an error says, on one line: the last link of the chain of a request."""
    name, text = type(error).__name__, str(error).strip()
    if not type(error).__module__.startswith("requests"):
        return text.partition("\n")[0].rstrip(".") or name
    found = _REASON.search(text)
    if found:
        return (found[1] or found[2]).strip()
    kinds = {"ConnectTimeout": "no answer", "ReadTimeout": "no answer", "SSLError": "TLS failed"}
    return kinds.get(name, name)


@contextlib.contextmanager
def at_once():
    """Lets the library ask for each file once only."""
    downloader: Any = importlib.import_module("tensorflow_datasets.core.download.downloader")
    kept = getattr(downloader, "MAX_RETRIES", None)
    downloader.MAX_RETRIES = 0
    try:
        yield
    finally:
        downloader.MAX_RETRIES = kept


def _by_proxy(requests, url):
    """Returns which proxy was asked, without the password that its address may hold."""
    utils = importlib.import_module("requests.utils")
    proxy = utils.select_proxy(url, utils.get_environ_proxies(url))
    if not proxy:
        return ""
    parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return f" by the proxy {parts.hostname}:{parts.port}"
