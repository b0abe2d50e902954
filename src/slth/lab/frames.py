"""A store as a pandas frame, a CSV or a Parquet file (extra `frames`)."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING, Literal, get_args

from slth.errors import InvalidInput, MissingExtra
from slth.files import replacing
from slth.lab.schema import COLUMNS
from slth.lab.store import Store

if TYPE_CHECKING:
    import pandas

Format = Literal["csv", "parquet"]

# NULL-able whole numbers: as floats they would lose their look.
_COUNTS = [name for name, column in COLUMNS.items() if column.kind is int and column.null]


def frame(store: Store, **where: object) -> pandas.DataFrame:
    """The rows with these values as a frame, one column a field of `slth.lab.store.Row`.

    Raises:
        MissingExtra: pandas is not installed.
    """
    _require("pandas")
    import pandas

    table = pandas.DataFrame(store.columns(**where))
    return table.astype(dict.fromkeys(_COUNTS, "Int64"))


def export(store: Store, path: str | os.PathLike[str], format: Format) -> int:
    """Write every row to a CSV or Parquet file, in one step; the number of rows.

    Raises:
        MissingExtra: pandas, or pyarrow for Parquet, is not installed.
        InvalidInput: an unknown format, or the file cannot be written.
    """
    if format not in get_args(Format):
        raise InvalidInput(
            "unknown format", got=repr(format), expected="'csv' or 'parquet'", fix="Choose one."
        )
    if format == "parquet":
        _require("pyarrow")
    table = frame(store)
    with replacing(path, "the export") as stream:
        if format == "csv":
            table.to_csv(stream, index=False)
        else:
            table.to_parquet(stream, index=False)
    return len(table)


def _require(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise MissingExtra(package, "frames", "a frame of the store")
