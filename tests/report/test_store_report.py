"""The report of a store: in a headless browser, as files, and by its command."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import subprocess
import sys
from urllib.parse import unquote

import numpy as np
import pytest

from slth.cli import run as command
from slth.errors import InvalidInput, MissingExtra, StoreError
from slth.lab.curves import Curve, survey
from slth.lab.store import Store
from slth.lab.store_writer import StoreWriter
from slth.report.store_report import write_report
from tests.report.synthetic_store import EPS, synthetic_store
from tests.report.view import View

_FIGURES = [
    *(f"widths-d{d}" for d in (2, 3, 4)),
    "exponents",
    "dimension-1",
    "dimension-2",
    "contenders-linear-d2",
    "errors-neurons-linear",
    "alignment",
    "broken-bins",
    "steps",
]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    return synthetic_store(tmp_path_factory.mktemp("store") / "made.db")


@pytest.fixture(scope="module")
def known(stored):
    with Store.open(stored) as store:
        return survey(store)


@pytest.fixture(scope="module")
def written(stored, tmp_path_factory):
    return write_report(stored, tmp_path_factory.mktemp("out") / "report", images=False)


@pytest.fixture(scope="module")
def view(browser, written):
    opened = View(browser, written.page)
    yield opened
    opened.close()


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_offline_without_complaint_or_request(view):
    assert view.complaints == []
    assert [url for url in view.requests if not url.startswith("data:")] == [view.address]
    assert view.page.locator("h1").inner_text() == "made <up>"


def test_every_figure_has_words_a_table_its_data_and_its_trials(view, written):
    figures = view.page.locator("figure")
    names = [figures.nth(k).get_attribute("id") for k in range(figures.count())]
    assert names == _FIGURES == list(written.figures)
    for name in names:
        assert len(view.page.locator(f"#{name} [role=img]").get_attribute("aria-label") or "") > 40
        head, body = (view.page.locator(f"#{name} a.data").get_attribute("href") or "").split(
            ",", 1
        )
        assert head == "data:text/csv;charset=utf-8"
        rows = rows_of(unquote(body))
        assert rows
        assert view.page.locator(f"#{name} details tbody tr").count() == len(rows)
        file = written.page.parent / "figures" / f"{name}.csv"
        assert rows_of(file.read_text()) == rows


def test_numbers_are_those_of_the_store_with_their_trials(written, known):
    rows = rows_of((written.page.parent / "figures" / "widths-d3.csv").read_text())
    cells = {
        (curve.label, cell.eps): cell
        for curve, cells in known.widths.items()
        if curve.d == 3
        for cell in cells
    }
    assert len(rows) == len(cells)
    for row in rows:
        cell = cells[row["curve"], float(row["eps (per unit of radius)"])]
        assert float(row["found width N, median (hidden units)"]) == cell.found_width.value
        assert float(row["found, 95 % to"]) == cell.found_width.high
        assert sorted(row["trials"].split()) == sorted(cell.keys)


def test_curves_stand_where_their_widths_are(view, known):
    pixels, places = [], []
    for curve, cells in known.widths.items():
        if curve.d == 3:
            name = f"{curve.pruning}-{curve.readout}"
            pixels += view.path("widths-d3", f"found-{name}").tolist()
            places += [(-np.log(c.eps), np.log(c.found_width.value)) for c in cells]
    for axis, sign in ((0, 1), (1, -1)):
        drawn, wanted = np.array(pixels)[:, axis], np.array(places)[:, axis]
        slope, offset = np.polyfit(wanted, drawn, 1)
        assert sign * slope > 20
        assert np.abs(slope * wanted + offset - drawn).max() < 1.0


def test_the_open_question_has_bounds_from_both_sides(view, known):
    assert len(view.path("dimension-1", "certified-linear")) == 3
    refuted = view.page.locator("#dimension-1 .tracerefuted-linear path.point")
    assert refuted.count() == 3
    above = view.path("dimension-1", "certified-linear")[:, 1]
    below = view.path("dimension-1", "refuted-linear")[:, 1]
    assert (above < below).all()
    cell = known.widths[Curve("neurons", "linear", 3, None)][-1]
    label = view.page.locator("#dimension-1 [role=img]").get_attribute("aria-label")
    assert f"d = 3, linear readout: above {cell.refuted_width.value:.0f}, found at " in label


def test_exponents_of_both_sides_for_every_curve(view):
    for side in ("found", "refuted"):
        for kind in ("neurons-linear", "neurons-relu", "weights-linear", "weights-relu"):
            points = view.page.locator(f"#exponents .traceexponent-{kind}-{side} path.point")
            assert points.count() == 3


def test_contenders_are_drawn_and_what_they_missed(view):
    assert len(view.path("contenders-linear-d2", "found-neurons-linear-single")) == len(EPS)
    assert len(view.path("contenders-linear-d2", "found-neurons-linear-magnitude")) == len(EPS) - 1
    lost = view.page.locator(
        "#contenders-linear-d2 .tracemissing-neurons-linear-magnitude path.point"
    )
    assert lost.count() == 1


def test_dark_narrow_and_print(browser, written):
    for view in (
        View(browser, written.page, scheme="dark"),
        View(browser, written.page, width=400),
    ):
        try:
            assert len(view.page.pdf()) > 10_000
            width = view.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert width[0] <= width[1]
            assert view.complaints == []
        finally:
            view.close()


def test_lost_tickets_and_odd_stores_still_get_a_page(browser, stored, tmp_path):
    StoreWriter.open(tmp_path / "empty.db").close()
    lost = tmp_path / "lost.db"
    lost.write_bytes(stored.read_bytes())
    for source, figures in ((tmp_path / "empty.db", ()), (lost, tuple(_FIGURES[:-3]))):
        written = write_report(source, tmp_path / source.stem, images=False)
        assert written.figures == figures
        view = View(browser, written.page)
        try:
            assert view.complaints == []
        finally:
            view.close()


def test_images_are_vector_files_with_a_legend(browser, stored, tmp_path):
    del browser  # Skips without Chromium.
    pytest.importorskip("kaleido")
    written = write_report(stored, tmp_path / "report")
    folder = tmp_path / "report" / "figures"
    assert {file.name for file in folder.iterdir()} == {
        f"{name}.{kind}" for name in _FIGURES for kind in ("csv", "svg", "pdf")
    }
    assert set(written.files) == {written.page, *folder.iterdir()}
    for name in _FIGURES:
        svg = (folder / f"{name}.svg").read_text()
        assert svg.startswith("<svg ")
        assert "var(--" not in svg
        assert (folder / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    text = (folder / "widths-d2.svg").read_text()
    assert "neurons, linear readout: found" in text
    assert not re.search(r"trace \d", text)


def test_without_kaleido_the_fix_is_named_before_anything_is_written(stored, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(MissingExtra, match=r"slth\[images\]"):
        write_report(stored, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_clear_errors(stored, tmp_path):
    with pytest.raises(StoreError, match="no such store"):
        write_report(tmp_path / "none.db", tmp_path / "report", images=False)
    with pytest.raises(InvalidInput, match="report's folder cannot be made"):
        write_report(stored, tmp_path / "no" / "report", images=False)


def test_the_command(stored, tmp_path, capsys):
    out = tmp_path / "report"
    assert command(["report", str(stored), "-o", str(out), "--no-images", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["page"] == str(out / "index.html")
    assert told["figures"] == _FIGURES
    assert command(["report", str(tmp_path / "none.db"), "-o", str(out), "--no-images"]) == 2


def test_the_command_line_loads_no_plotting_library():
    code = "import slth.cli.report, sys; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_widths_that_were_not_found_are_empty_in_the_data(written, known):
    rows = rows_of((written.page.parent / "figures" / "contenders-linear-d2.csv").read_text())
    magnitude = [row for row in rows if row["curve"].endswith("magnitude")]
    assert [row["found width N, median (hidden units)"] == "" for row in magnitude] == [
        math.isinf(cell.found_width.value)
        for cell in known.widths[Curve("neurons", "linear", 2, "magnitude")]
    ]
