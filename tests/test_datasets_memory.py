"""How much memory there is, where a control group grants less than the machine has."""

import os

import pytest

from tfvae.datasets import memory

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
MEGABYTE = 2**20


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": MEGABYTE}, MEGABYTE),
        ("0::/a/b\n", {"a/b/memory.max": MEGABYTE, "a/memory.max": 2 * MEGABYTE}, MEGABYTE),
        ("0::/\n", {"memory.max": MEGABYTE}, MEGABYTE),  # as a container sees it
        ("0::/../x\n", {"memory.max": MEGABYTE}, MEGABYTE),
        ("3:cpu:/a\n2:memory:/a\n", {"memory/a/memory.limit_in_bytes": MEGABYTE}, MEGABYTE),
        ("2:cpu,memory:/docker/1\n", {"memory/memory.limit_in_bytes": MEGABYTE}, MEGABYTE),
        ("2:memory:/\n", {"memory/memory.limit_in_bytes": 2**63 - 4096}, MACHINE),  # no limit
        ("0::/a\n", {"a/memory.max": "max"}, MACHINE),
        ("", {}, MACHINE),
        (None, {}, MACHINE),  # no Linux
    ],
)
def test_the_smallest_limit_around_a_process_holds(own, files, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_OWN", tmp_path / "own")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    if own is not None:
        (tmp_path / "own").write_text(own)
    for name, limit in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{limit}\n")
    assert memory.total() == expected
    assert memory.fits(expected // 2)
    assert not memory.fits(expected // 2 + 1)
