"""A headless browser for the pages, one for each file of tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

from tests.report.view import PATIENCE

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def _missing(reason: str) -> None:
    if os.environ.get("SLTH_REQUIRE_CHROMIUM"):
        pytest.fail(f"SLTH_REQUIRE_CHROMIUM is set, but {reason}")
    pytest.skip(f"the page's browser test needs Chromium: {reason}")


@pytest.fixture(scope="module")
def browser() -> Iterator:
    found = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        _missing(f"none of {', '.join(_BROWSERS)} is on the PATH")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        _missing("playwright is not installed")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=_QUIET, timeout=PATIENCE)
        yield running
        running.close()
