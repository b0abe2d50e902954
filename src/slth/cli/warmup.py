"""`slth warmup`: compile ahead what the first commands would wait for."""

from __future__ import annotations

from slth.cli.output import announce_compilation, print_json, stdout
from slth.warmup import warm_up


def warmup(*parts: str, json: bool = False) -> int:
    """Compile ahead what first commands would wait for: a few minutes, once a machine.

    Exit code 0: all is compiled; 2: no such part.

    Parameters
    ----------
    parts
        Any of: certifier (certify, and all that certifies with it), networks (certify and agree
        for networks of any layers, compress), neurons (prune neurons, gap), weights (prune weights,
        gap), embeddings (embed). By default all.
    json
        Print one JSON object.
    """
    announce_compilation()
    seconds = {}
    for warmed in warm_up(*parts):
        seconds[warmed.part] = round(warmed.compiled, 1)
        if not json:
            took = f"compiled in {warmed.compiled:.0f} CPU-s" if warmed.compiled else "was compiled"
            stdout.print(f"{warmed.part}: {took}", highlight=False)
    if json:
        print_json({"compiled_seconds": seconds})
    return 0
