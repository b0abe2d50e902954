"""A coverage-guided attack on the reader of ticket files and the checker (atheris, libFuzzer).

`python -m benchmarks.fuzz_reader [RUNS]` (default 20,000). Seeds are true tickets with proofs of
every kind. A mutation changes bytes of the file, or of one of its members, which is packed again
with the right checksums, so that it reaches what lies behind them. The run ends at the first
exception that is not a TicketError, at 1 GiB, or after a file that took 60 s.
"""

from __future__ import annotations

import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from pathlib import Path

_LONGEST = 1 << 16
_MOST_SECONDS = 60.0


def main(runs: int = 20_000) -> None:
    """Write the seeds, fuzz in a process of its own, print what came of it."""
    if importlib.util.find_spec("atheris") is None:
        print("fuzz_reader needs atheris: pip install 'slth[fuzz]'")
        return
    from tests.fuzz_tickets import corpus

    with tempfile.TemporaryDirectory() as folder:
        for number, ticket in enumerate(corpus()):
            ticket.save(Path(folder) / f"{number}.ticket")
        options = [
            f"-runs={runs}",
            "-seed=1",
            f"-max_len={_LONGEST}",
            "-rss_limit_mb=1024",
            "-handle_alrm=0",
        ]
        options += [f"-artifact_prefix={folder}/", "-print_final_stats=1"]
        command = [sys.executable, "-m", "benchmarks.fuzz_reader", "fuzz", folder, *options]
        # Numba cannot compile what atheris has instrumented, and nothing of it runs here.
        env = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    kept = ("reader", "stat::", "Done", "Uncaught", "==", "Traceback")
    print("\n".join(line for line in done.stderr.splitlines() if line.lstrip().startswith(kept)))
    print(done.stdout)
    print("no crash" if done.returncode == 0 else f"CRASH, exit code {done.returncode}")


def fuzz(folder: str, options: list[str]) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    with atheris.instrument_imports(include=["slth.archive", "slth.ticket", "slth.check"]):
        from slth.check import check
        from slth.ticket import Ticket
    from slth.errors import TicketError

    runs = int(options[0].removeprefix("-runs="))
    outcomes: Counter[str] = Counter()

    slowest = 0.0

    def one(data: bytes) -> None:
        nonlocal slowest
        started = time.process_time()
        try:
            outcomes[str(check(Ticket.from_bytes(data)).outcome)] += 1
        except TicketError:
            outcomes["unreadable"] += 1
        slowest = max(slowest, time.process_time() - started)
        if slowest > _MOST_SECONDS:
            raise TimeoutError(f"{slowest:.1f} s for one file")
        if (done := outcomes.total()) == runs or done % 10_000 == 0:
            print(f"{done} files: {dict(outcomes)}; slowest {slowest:.2f} s", flush=True)

    def changed(data: bytes, longest: int, seed: int) -> bytes:
        mutate = lambda part: atheris.Mutate(part, len(part) + 64)  # noqa: E731
        return _changed(data, longest, seed, mutate)

    atheris.Setup([sys.argv[0], *options, folder], one, custom_mutator=changed)
    atheris.Fuzz()


def _changed(data: bytes, longest: int, seed: int, mutate) -> bytes:
    """The file with one member mutated, or with bytes mutated where they are."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
    # As zipfile answers damage.
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError, OSError):
        content = {}
    if seed % 4 == 0 or not content:
        return mutate(data)[:longest]
    name = sorted(content)[seed // 4 % len(content)]
    head = 0
    if name.endswith(".npy") and seed % 4 < 3:
        # Beyond the header of the array, of the same length: still an array.
        head = 10 + int.from_bytes(content[name][8:10], "little")
    body = content[name][head:]
    new = mutate(body) if body else body
    if head:
        new = new[: len(body)].ljust(len(body), b"\0")
    content[name] = content[name][:head] + new
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for member, value in content.items():
            archive.writestr(member, value)
    return stream.getvalue()[:longest]


if __name__ == "__main__":
    if sys.argv[1:2] == ["fuzz"]:
        fuzz(sys.argv[2], sys.argv[3:])
    else:
        main(*(int(argument) for argument in sys.argv[1:]))
