"""The tables of docs/theory/known.md, from `slth.theory.what_is_known`.

`python -m docs.theory.draw.known_tables` writes them into the page again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from slth.theory import KnownWidth, what_is_known

PAGE = Path(__file__).parents[1] / "known.md"
_HEAD = "| | width | status | source, function |\n|---|---|---|---|\n"


def tables() -> dict[str, str]:
    """By task: the lines of its table."""
    tasks = dict.fromkeys(row.task for row in what_is_known())
    return {task: _table(r for r in what_is_known() if r.task == task) for task in tasks}


def rendered(page: str) -> str:
    """The page with its tables replaced."""
    for task, table in tables().items():
        section = re.compile(rf"(## {re.escape(task)}\n)(?:\|.*\n)*")
        page = section.sub(lambda found, table=table: found[1] + table, page)
    return page


def _table(rows: Iterable[KnownWidth]) -> str:
    return _HEAD + "".join(_line(row) for row in rows)


def _line(row: KnownWidth) -> str:
    standing = f"{row.standing}: {row.remark}" if row.remark else str(row.standing)
    where = [f"[{row.page.replace('-', ' ')}]({row.page}.md)"] if row.page else []
    where += [row.source] if row.source else []
    where += [f"`{name}`" for name in row.functions]
    return f"| {row.says} | {row.formula} | {standing} | {', '.join(where)} |\n"


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
