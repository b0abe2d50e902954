"""Mutated network files against the doors: refused, or read as independent readers read them.

`python -m benchmarks.fuzz_doors [COUNT] [SEED]` (default 10,000, 1). True files of every kind are
changed in their bytes or behind their checksums. The run ends at the first exception other than
slth.InvalidInput, at what is read otherwise than onnx's reference evaluator or a slow reader of
arrays and text reads it, and at a file that takes more than 2 GiB of memory or 20 s.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

_MEMORY = 2 << 30
_MOST_SECONDS = 20.0


def main(count: int = 10_000, seed: int = 1) -> None:
    """Fuzz, and print what became of the files by kind."""
    import numpy as np

    from tests.doors.fuzz import corpus, judge, mutated

    rng = np.random.default_rng(seed)
    seen: Counter[tuple[str, str]] = Counter()
    slowest, started = 0.0, time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = corpus(folder)
        # Address space that the libraries have reserved so far does not count.
        reserved = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (reserved + _MEMORY, hard))
        for trial in range(count):
            ending, data = files[trial % len(files)]
            changed = mutated(rng, ending, data)
            begun = time.monotonic()
            try:
                outcome = judge(folder / f"mutated.{ending}", ending, changed)
            except BaseException:
                kept = Path(f"crash-{seed}-{trial}.{ending}")
                kept.write_bytes(changed)
                print(f"FAILED at file {trial}, kept as {kept}")
                raise
            took = time.monotonic() - begun
            slowest = max(slowest, took)
            if took > _MOST_SECONDS:
                Path(f"slow-{seed}-{trial}.{ending}").write_bytes(changed)
                raise SystemExit(f"file {trial} took {took:.0f} s")
            seen[ending, outcome] += 1
    print(f"{count} files in {time.monotonic() - started:.0f} s, the slowest {slowest:.2f} s")
    print(f"{'kind':<12}" + "".join(f"{word:>10}" for word in ("refused", "read", "unjudged")))
    for ending in sorted({ending for ending, _ in seen}):
        row = [seen[ending, word] for word in ("refused", "read", "unjudged")]
        print(f"{ending:<12}" + "".join(f"{number:>10}" for number in row))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
