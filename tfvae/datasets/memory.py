"""How much memory there is: of the machine, or of the control groups that a container runs in.

References:
    [1] Linux. Control Group v2, memory.max. https://docs.kernel.org/admin-guide/cgroup-v2.html
    [2] Linux. Memory Resource Controller, memory.limit_in_bytes.
        https://docs.kernel.org/admin-guide/cgroup-v1/memory.html
"""

import os
import pathlib

_OWN = pathlib.Path("/proc/self/cgroup")
_GROUPS = pathlib.Path("/sys/fs/cgroup")


def fits(num_bytes):
    """Says whether so many bytes are at most half of the memory."""
    return num_bytes <= total() / 2


def total():
    """Returns the bytes of memory that this process may use in all."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits()])


def _limits():
    """Yields the limits of the control groups of this process, and of those around them."""
    try:
        lines = _OWN.read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2
            root, name = _GROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = _GROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = root / path.lstrip("/")
        # A container may see its own group at the root, under the name that it has outside.
        for place in (group, *group.parents):
            yield from _limit(place / name)
            if place == root:
                break


def _limit(path):
    """Yields the limit in a file, if there is one: it may say "max"."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError:
        return
    if text.isdigit():
        yield int(text)
