"""Campaigns that can be cut off and go on: one line of JSON for each finished instance."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


class Ledger:
    """What `once` has computed, kept in the file that the environment variable LEDGER names.

    Without LEDGER nothing outlives the run. A record is what JSON can hold, a list rather than a
    tuple; delete the file when the code that is measured has changed.
    """

    def __init__(self, campaign: str) -> None:
        name = os.environ.get("LEDGER")
        self._campaign = campaign
        self._path = None if name is None else Path(name)
        self._done: dict[str, Any] = {}
        if self._path is not None and self._path.exists():
            for line in self._path.read_text().splitlines():
                key, record = json.loads(line)
                self._done[key] = record

    def once(self, instance: Sequence[object], compute: Callable[[], Any]) -> Any:
        """The record of this instance, computed unless the file holds it."""
        key = " ".join(str(part) for part in (self._campaign, *instance))
        if key not in self._done:
            self._done[key] = compute()
            if self._path is not None:
                with self._path.open("a") as file:
                    file.write(json.dumps([key, self._done[key]]) + "\n")
        return self._done[key]
