"""The page in a headless browser, offline: what is drawn, in pixels, and that nothing goes wrong.

The run is synthetic (tests/report/synthetic.py): its widths are chosen, not measured.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from slth.lab.laws import summarize
from slth.lab.rows import GapRun, Series
from slth.report import write_page
from slth.report.bin_history import bin_history
from slth.report.page import rows_table
from slth.report.shown_ticket import choose_ticket
from slth.report.wording import eps_label
from tests.report.synthetic import EPS, run_with_ticket, synthetic_run
from tests.report.view import View

_SERIES = ("neurons-linear", "weights-linear", "weights-relu")
_FOUND = "#gap .tracefound-neurons-linear path.js-line"
_FIGURES = ("gap", "bits", "pruning", "alignment", "broken-bins", "steps")


@pytest.fixture(scope="module")
def run() -> GapRun:
    """Three draws on four eps; the ticket at the smallest eps is a real one of that eps."""
    return synthetic_run()


@pytest.fixture(scope="module")
def file(run, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "gap.html"
    write_page(run, path)
    return path


@pytest.fixture(scope="module")
def view(browser, file) -> Iterator[View]:
    opened = View(browser, file)
    yield opened
    opened.close()


def test_offline_without_complaint_or_request(view):
    assert view.complaints == []
    assert [url for url in view.requests if not url.startswith("data:")] == [view.address]


def test_one_found_curve_for_each_pruning(view, run):
    for series in _SERIES:
        assert len(view.path("gap", f"found-{series}")) == len(EPS)
    markers = view.page.locator("#gap .tracefound-neurons-linear path.point")
    assert markers.count() == len(EPS)
    draws = view.page.locator("#gap .tracedraws-neurons-linear path.point")
    assert draws.count() == len(EPS) * run.plan.draws


def test_curves_stand_where_their_widths_are(view, run):
    """Pixels are one affine function of log width and of log 1/eps, for all curves together."""
    pixels, places = [], []
    for series, name in zip(run.plan.series, _SERIES, strict=True):
        pixels += view.path("gap", f"found-{name}").tolist()
        places += [(-np.log(s.eps), np.log(s.found)) for s in summarize(run, series)]
    for axis, sign in ((0, 1), (1, -1)):
        heights, logs = np.array(pixels)[:, axis], np.array(places)[:, axis]
        slope, offset = np.polyfit(logs, heights, 1)
        assert sign * slope > 20
        assert np.abs(slope * logs + offset - heights).max() < 1.0


def test_the_toolbar_has_a_row_of_its_own(view):
    for plot in view.page.locator(".plot").all():
        bar, figure = plot.locator(".modebar").bounding_box(), plot.bounding_box()
        assert bar["y"] + bar["height"] <= figure["y"] + 1.0


def test_single_draws_of_different_series_stand_beside_each_other(view, run):
    middles = []
    for series in _SERIES:
        boxes = [
            mark.bounding_box()
            for mark in view.page.locator(f"#gap .tracedraws-{series} path.point").all()
        ]
        middles.append({round(box["x"] + box["width"] / 2) for box in boxes})
        assert len(middles[-1]) == len(EPS)
    assert len(set.union(*middles)) == len(_SERIES) * len(EPS)


@pytest.mark.parametrize(
    ("eps", "text"),
    [(1 / 32, "0.03125"), (0.1, "0.1"), (2.0**-9, "1/512"), (10**-1.5, "≈ 0.0316")],
)
def test_labels_of_errors_are_exact_or_say_that_they_are_not(eps, text):
    assert eps_label(eps) == text


@pytest.mark.parametrize("series", _SERIES[:2])
def test_the_refuted_band_has_area_and_lies_below_the_found_curve(view, run, series):
    fill = view.page.locator(f"#gap .tracerefuted-{series} path.js-fill")
    assert fill.count() == 1
    box = fill.bounding_box()
    assert box is not None
    assert box["width"] > 300
    assert box["height"] > 50
    paint = fill.evaluate("node => getComputedStyle(node).fill")
    assert ("url(" in paint) is series.startswith("neurons")
    assert paint != "none"
    edge, found = view.path("gap", f"refuted-edge-{series}"), view.path("gap", f"found-{series}")
    assert edge[:, 0] == pytest.approx(found[-len(edge) :, 0], abs=0.5)
    assert (edge[:, 1] > found[-len(edge) :, 1] + 10).all()
    filled = view.path("gap", f"refuted-{series}", "js-fill")
    assert filled[:, 1].min() == pytest.approx(edge[:, 1].min(), abs=0.5)
    assert filled[:, 1].max() > edge[:, 1].max() + 20


def test_nothing_is_shaded_where_nothing_is_refuted(view):
    assert view.page.locator("#gap .tracerefuted-weights-relu").count() == 0
    text = view.page.locator("#gap .legend").inner_text()
    assert "neuron pruning, linear readout: refuted" in text
    assert "relu readout: refuted" not in text


def test_laws_are_written_with_their_intervals(view):
    text = view.page.locator("#gap .legend").inner_text()
    assert re.search(r"neuron pruning, linear readout: found\s+N ≈ .*slope 0\.9\d \(95 %: ", text)
    assert re.search(r"6\.00 units a bit.*1\.50 a bit and coordinate side", text)
    for series in _SERIES:
        assert len(view.path("gap", f"law-{series}")) >= 2


def test_bits_are_a_straight_line(view):
    curve = view.path("bits", "bits-found")
    assert len(curve) == len(EPS)
    slope, offset = np.polyfit(curve[:, 0], curve[:, 1], 1)
    assert slope < 0
    assert np.abs(slope * curve[:, 0] + offset - curve[:, 1]).max() < 0.5
    assert len(view.path("bits", "bits-law")) == 2


def test_axes_say_what_they_measure_and_in_which_unit(view):
    def title(figure: str, axis: str) -> str:
        return (
            view.page.locator(f"#{figure} .{axis}title").first.text_content().replace("\u200b", "")
        )

    assert title("gap", "x") == "inverse error 1/ε"
    assert title("gap", "x2") == "error ε (per unit of radius)"
    assert title("gap", "y") == "width N (hidden units)"
    assert title("bits", "x") == "log2(1/ε) (bits)"
    assert title("bits", "y") == "width N (hidden units)"
    assert title("pruning", "x") == "angle from w* (degrees)"
    assert title("alignment", "x") == "t along x1(t) = t e1 + e2"
    assert title("broken-bins", "y") == "broken bins (count)"
    assert title("broken-bins", "x") == "units selected s (count)"


def test_every_figure_has_an_alt_text_a_table_and_its_data(view):
    figures = view.page.locator("figure")
    assert [figures.nth(k).get_attribute("id") for k in range(figures.count())] == list(_FIGURES)
    for name in _FIGURES:
        drawings = view.page.locator(f"#{name} [role=img]")
        assert drawings.count() >= 1
        for k in range(drawings.count()):
            assert len(drawings.nth(k).get_attribute("aria-label") or "") > 40
        data = _data(view, f"#{name} a.data")
        assert view.page.locator(f"#{name} details tbody tr").count() == len(data) > 0
        assert view.page.locator(f"#{name} details thead th").all_text_contents() == list(data[0])


def _data(view: View, selector: str) -> list[dict[str, str]]:
    link = view.page.locator(selector)
    head, body = (link.get_attribute("href") or "").split(",", 1)
    assert head == "data:text/csv;charset=utf-8"
    assert (link.get_attribute("download") or "").endswith(".csv")
    return list(csv.DictReader(io.StringIO(unquote(body))))


def test_data_links_hold_the_run_s_numbers(view, run):
    medians = _data(view, "#gap a.data")
    expected = [
        (series.label, s.eps, s.refuted, s.found, s.draws)
        for series in run.plan.series
        for s in summarize(run, series)
    ]
    got = [
        (
            row["series"],
            float(row["eps (per unit of radius)"]),
            float(row["refuted width N, median (hidden units)"]),
            float(row["found width N, median (hidden units)"]),
            int(row["draws done"]),
        )
        for row in medians
    ]
    assert got == expected
    rows = _data(view, "a.data[download='slth-gap-rows.csv']")
    assert list(rows[0]) == list(rows_table(run).columns)
    assert [
        (row["pruning"], row["readout"], int(row["draw"]), float(row["eps"]), int(row["found"]))
        for row in rows
    ] == [
        (row.series.pruning, row.series.readout, row.draw, row.eps, row.found) for row in run.rows
    ]
    assert {float(row["found_error"]) for row in rows} == {row.found_error for row in run.rows}
    assert {row["kept_units"] for row in rows} == {"0 2 5"}


def test_state_line_ends_at_0_and_residual_stays_in_the_tube(browser, tmp_path):
    ticket = run_with_ticket()
    write_page(ticket, tmp_path / "ticket.html")
    view = View(browser, tmp_path / "ticket.html")
    try:
        line = view.path("broken-bins", "state-line-1")
        assert line[:, 1].max() == pytest.approx(line[-1, 1], abs=0.1)
        zero = view.page.locator("#broken-bins .ytick text", has_text=re.compile("^0$"))
        mark = view.page.locator("#broken-bins .tracestate-end-1 path.point")
        boxes = zero.bounding_box(), mark.bounding_box()
        assert boxes[0] is not None
        assert boxes[1] is not None
        centres = [box["y"] + box["height"] / 2 for box in boxes]
        assert centres[0] == pytest.approx(centres[1], abs=3)
        tube = view.path("alignment", "residual-tube", "js-fill")
        residual = view.path("alignment", "residual")
        assert residual[:, 1].min() > tube[:, 1].min()
        assert residual[:, 1].max() < tube[:, 1].max()
        kept = ticket.rows[0].kept_units
        inside = view.page.locator("#alignment .tracejump-units path.point").count()
        rows = _data(view, "#alignment a.data")
        assert [row["unit"] for row in rows if row["inside I_R"] == "yes"].count("target f") <= 1
        units = [row for row in rows if row["unit"] != "target f"]
        assert sorted(int(row["unit"]) for row in units) == list(kept)
        assert sum(row["inside I_R"] == "yes" for row in units) == inside > 0
        assert view.complaints == []
    finally:
        view.close()


def test_the_slider_steps_through_the_units_of_the_ticket(browser, tmp_path):
    run = run_with_ticket()
    ticket = choose_ticket(run)
    assert ticket is not None
    units = len(ticket.units)
    counts = bin_history(ticket.pruned, ticket.target, 0, ticket.eps).counts
    write_page(run, tmp_path / "ticket.html")
    view = View(browser, tmp_path / "ticket.html")
    try:
        slider = view.page.get_by_role("slider", name="units selected")
        assert slider.count() == 1
        assert slider.get_attribute("max") == str(units)
        assert slider.input_value() == str(units)
        said = view.page.locator("#steps output")
        assert said.inner_text().startswith(f"{units} of {units}.")
        assert view.page.locator("#steps .slider-container").count() == 0
        last = view.path("steps", "steps-residual")
        # The keyboard reaches every step; the drawing, the words and the table agree.
        slider.focus()
        view.page.keyboard.press("Home")
        assert said.inner_text().startswith(f"0 of {units}. No unit yet")
        assert slider.get_attribute("aria-valuetext") == said.inner_text()
        rows = _data(view, "#steps a.data")
        assert len(rows) == units + 1
        for step in range(units + 1):
            assert said.inner_text().startswith(f"{step} of {units}.")
            assert f" {counts[step]} of " in said.inner_text()
            assert int(rows[step]["broken bins"]) == counts[step]
            bars = view.page.locator("#steps .subplot.xy3 .bars .point path")
            drawn = [bars.nth(k).bounding_box() for k in range(bars.count())]
            assert sum(box is not None and box["height"] > 2 for box in drawn) == counts[step]
            view.page.keyboard.press("ArrowRight")
        np.testing.assert_allclose(view.path("steps", "steps-residual"), last, atol=0.01)
        # A redraw keeps the step; paper shows the last one.
        view.page.keyboard.press("Home")
        first = view.path("steps", "steps-residual")
        view.page.evaluate(
            """() => addEventListener("beforeprint", () => {
                 const name = "#steps .tracesteps-residual path.js-line";
                 window.printed = document.querySelector(name).getAttribute("d");
               })"""
        )
        assert len(view.page.pdf()) > 10_000
        printed = re.findall(r"-?\d+(?:\.\d+)?", view.page.evaluate("window.printed"))
        heights = np.array(printed, dtype=float)[1::2]
        assert len(heights) == len(last)
        np.testing.assert_allclose(view.path("steps", "steps-residual"), first, atol=0.01)
        assert view.complaints == []
    finally:
        view.close()


def test_figures_follow_the_colour_scheme(browser, file, view):
    def stroke(opened: View) -> str:
        return opened.page.locator(_FOUND).evaluate("node => getComputedStyle(node).stroke")

    from playwright.sync_api import expect

    light = stroke(view)
    dark = View(browser, file, scheme="dark")
    try:
        assert light == "rgb(0, 114, 178)"
        assert stroke(dark) == "rgb(90, 182, 236)"
        assert dark.page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(20, 22, 26)"
        )
        dark.page.emulate_media(color_scheme="light")
        expect(dark.page.locator(_FOUND)).to_have_css("stroke", "rgb(0, 114, 178)")
        assert dark.complaints == []
    finally:
        dark.close()


def test_a_narrow_screen_does_not_scroll_sideways(browser, file):
    narrow = View(browser, file, width=400)
    try:
        assert narrow.page.evaluate("document.documentElement.scrollWidth") <= 400
        widths = narrow.page.evaluate(
            "[...document.querySelectorAll('.plot .main-svg')].map(s => s.clientWidth)"
        )
        assert max(widths) <= 368
        assert narrow.complaints == []
    finally:
        narrow.close()


def test_print_is_light_and_fits_the_paper(browser, file):
    view = View(browser, file, scheme="dark")
    try:
        view.page.evaluate(
            """found => addEventListener("beforeprint", () => {
                 const line = document.querySelector(found);
                 const plot = document.querySelector("#gap .main-svg");
                 window.printed = [getComputedStyle(line).stroke, plot.clientWidth];
               })""",
            _FOUND,
        )
        assert len(view.page.pdf()) > 10_000
        assert view.page.evaluate("window.printed") == ["rgb(0, 114, 178)", 660]
        assert view.complaints == []
    finally:
        view.close()


def test_an_interrupted_run_and_lost_tickets_are_drawn(browser, tmp_path):
    def lose(row):
        if row.series == Series("neurons", "linear") and row.eps == min(EPS):
            return dataclasses.replace(
                row, found=None, found_error=None, kept=None, kept_units=(), tried=20_000
            )
        return row

    run = synthetic_run(complete=False, keep=lambda row: row.draw < 2 or row.eps > 0.1)
    run = dataclasses.replace(run, rows=tuple(lose(row) for row in run.rows))
    write_page(run, tmp_path / "gap.html")
    view = View(browser, tmp_path / "gap.html")
    try:
        assert len(view.path("gap", "found-neurons-linear")) == len(EPS) - 1
        open_marks = view.page.locator("#gap .tracemissing-neurons-linear path.point")
        assert open_marks.count() == 2
        assert view.page.locator(".notice").inner_text().startswith("This run was interrupted")
        assert view.complaints == []
    finally:
        view.close()
