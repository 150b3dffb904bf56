"""The search for very many byte strings at once: exact, and fast enough for a whole run."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from scenarios.leaks.canaries import Artefact, Secret, scan
from scenarios.leaks.needles import Needles


@pytest.mark.parametrize("seed", range(20))
def test_needles_are_found_exactly_where_a_slow_search_finds_them(seed: int) -> None:
    """For random data, random alphabets and overlapping patterns, every occurrence is found, once."""
    draw = random.Random(seed)
    letters = (b"ab", b"abc\0", bytes(range(256)))[seed % 3]
    data = bytes(draw.choices(letters, k=3000))
    patterns = {bytes(draw.choices(letters, k=draw.randrange(8, 20))) for _ in range(20)}
    for _ in range(40):
        start = draw.randrange(len(data) - 8)
        patterns.add(data[start : start + draw.randrange(8, 60)][:60].ljust(8, b"a"))
    slow = sorted((at, it) for it in patterns for at in range(len(data)) if data.startswith(it, at))
    assert slow == Needles(patterns).search(data)


@pytest.mark.slow
def test_a_hundred_megabytes_take_less_than_twenty_seconds(tmp_path: Path) -> None:
    """500 transactions' secrets are searched for in 100 MB, in every form, in 20 s of CPU time at most."""
    for number in range(10):
        (tmp_path / f"blob-{number}").write_bytes(os.urandom(5 << 20))
        line = b'{"ts":"2026-11-23T12:00:04.329Z","t":4329,"node":"acme","ev":"pbft.prepared","tx":"%08x"}\n'
        (tmp_path / f"log-{number}").write_bytes(b"".join(line % at for at in range(55_000)))
    wanted = [Secret(frozenset({"alice"}), "salt", os.urandom(16)) for _ in range(5000)]
    wanted += [Secret(frozenset({"alice"}), "leaf", f"invoice {number} of 900") for number in range(1000)]
    begin = time.process_time()
    result = scan(wanted, [Artefact(tmp_path, None)])
    seconds = time.process_time() - begin
    assert (result.searched, result.found) == (6000, ())
    assert result.bytes_read > 100e6
    assert seconds < 20
