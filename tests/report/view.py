"""An opened page, for tests of what is drawn."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

# Milliseconds, five minutes: for a busy machine.
PATIENCE = 300_000


class View:
    """One opened page with everything it complained about or asked for."""

    def __init__(self, browser, path: Path, *, width: int = 1100, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
        )
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.address = path.as_uri()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(self.address)
        self.wait()

    def wait(self) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator(".plot:has(.xtitle)")).to_have_count(
            self.page.locator(".plot").count(), timeout=PATIENCE
        )

    def path(self, figure: str, trace: str, line: str = "js-line") -> np.ndarray:
        """Vertices of a trace's only SVG path, in pixels of its plot, y downwards. [n, 2]."""
        found = self.page.locator(f"#{figure} .trace{trace} path.{line}")
        assert found.count() == 1, f"{found.count()} paths of {trace} in {figure}"
        numbers = re.findall(r"-?\d+(?:\.\d+)?", found.get_attribute("d") or "")
        return np.array(numbers, dtype=float).reshape(-1, 2)

    def close(self) -> None:
        self.context.close()
