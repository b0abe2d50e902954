"""Every page of docs/theory: its numbers come out as printed, its picture exists and is small."""

import doctest
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "theory"
PAGES = sorted(page for page in FOLDER.glob("*.md") if page.name != "index.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_numbers_come_out_as_printed(page):
    blocks = re.findall(r"^```pycon\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks, "a page of the tour carries its number"
    session = doctest.DocTestParser().get_doctest("".join(blocks), {}, page.name, str(page), 0)
    report: list[str] = []
    doctest.DocTestRunner(verbose=False).run(session, out=report.append)
    assert not report, "".join(report)


@pytest.mark.parametrize("page", [*PAGES, FOLDER.with_suffix(".md")], ids=lambda page: page.stem)
def test_a_picture_with_words_for_those_who_cannot_see_it(page):
    pictures = re.findall(r"!\[([^\]]+)\]\(([^)]+)\)", page.read_text())
    assert len(pictures) == 1
    words, name = pictures[0]
    assert len(words) > 60
    text = (page.parent / name).read_text()
    assert len(text) < 150_000
    assert text.startswith("<svg ")
    assert "prefers-color-scheme:dark" in text
    assert "undefined" not in text
    assert "NaN" not in text


def test_no_picture_is_left_over():
    used = {
        name
        for page in FOLDER.glob("*.md")
        for name in re.findall(r"/(\S+\.svg)\)", page.read_text())
    }
    drawn = {picture.name for picture in (FOLDER / "pictures").iterdir()}
    assert drawn == used | {"network.svg"}
