"""`python -m benchmarks [NAME ...]`: run the named benchmarks, or all of them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

_NOT_BENCHMARKS = {"__init__", "__main__", "instances", "ledger", "mixed_integer", "table"}


def main(names: list[str]) -> int:
    """Each benchmark is a module with a `main()` that prints tables."""
    known = sorted(
        p.stem for p in Path(__file__).parent.glob("*.py") if p.stem not in _NOT_BENCHMARKS
    )
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in names or known:
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
