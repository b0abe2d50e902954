"""The table of what is known: the page prints it, its names resolve, its laws are those of code."""

import json
import math

import pytest

from docs.theory.draw.known_tables import PAGE, rendered, tables
from slth import theory
from slth.cli import run

ROWS = theory.what_is_known()


def test_the_page_prints_the_table():
    page = PAGE.read_text()
    assert rendered(page) == page
    assert all(table in page for table in tables().values())
    assert rendered(page.replace("| proved |", "| open |", 1)) == page


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.task}: {row.says}")
def test_names_and_pages_resolve_and_nothing_is_proved_without_either(row):
    assert all(name in theory.__all__ for name in row.functions)
    assert not row.page or (PAGE.parent / f"{row.page}.md").exists()
    assert (row.width == "") == (row.formula == "") == (row.standing is theory.Standing.OPEN)
    if row.standing is theory.Standing.PROVED:
        assert row.functions
        assert row.page or row.source


def slope(function, d, fine, **options):
    """How the width grows with 1/eps, at that eps."""
    near, far = (float(function(d, eps, **options).value) for eps in (fine, fine / 2))
    return math.log2(far / near)


@pytest.mark.parametrize(
    ("says", "function", "d", "eps", "expected"),
    [
        ("needs, eps < c/d", theory.zonal_width, 5, 1e-4, 4.0),
        ("needs, output weights refitted", theory.spectral_width, 10, 1e-5, 6.0),
        ("as drawn, needs and suffices", theory.drawn_unit_refuted_width, 4, 1e-3, 4.0),
        ("output weight refitted", theory.single_unit_refuted_width, 4, 1e-3, 3.0),
        ("suffices", theory.small_units_width, 6, 1e-3, 4.0),
    ],
)
def test_laws_have_the_exponents_of_their_functions(says, function, d, eps, expected):
    (row,) = [r for r in ROWS if r.says == says and function.__name__ in r.functions]
    assert row.standing is theory.Standing.PROVED
    assert slope(function, d, eps, radius=1.0, delta=0.05) == pytest.approx(expected, abs=0.15)


def test_the_command_prints_every_row(capsys):
    assert run(["theory", "known", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)["known"]
    assert printed == [row.as_row() for row in ROWS]
    assert run(["theory", "known"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "sketched" in shown
    assert "O(d^2" in shown
