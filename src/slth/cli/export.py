"""`slth export`: a store as CSV or Parquet."""

from __future__ import annotations

from pathlib import Path

from slth.cli.output import print_json, stdout
from slth.cli.outputs import require_writable
from slth.lab.frames import Format, export
from slth.lab.store import Store


def export_store(
    store: Path,
    *,
    format: Format = "csv",
    out: Path | None = None,
    force: bool = False,
    json: bool = False,
) -> int:
    """Write every row of a store to one CSV or Parquet file (needs the frames extra).

    docs/sweeps.md describes the columns.

    Parameters
    ----------
    store
        The store of a sweep.
    format
        "csv" or "parquet".
    out
        File to write; by default the store's name with the format as suffix.
    force
        Replace an existing file that slth did not write.
    json
        Print one JSON object.
    """
    target = store.with_suffix(f".{format}") if out is None else out
    require_writable(force, out=target)
    with Store.open(store) as held:
        rows = export(held, target, format)
    if json:
        print_json({"store": str(store), "out": str(target), "format": format, "rows": rows})
    else:
        stdout.print(f"{rows} rows written to {target}", highlight=False)
    return 0
