"""The file: complete, alone, replaced in one step, clear errors; and every odd run gets a page."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest

from slth.errors import InvalidInput, MissingExtra
from slth.report import write_page
from slth.report.page import command, render
from tests.report.synthetic import synthetic_run


def test_the_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "gap.html"
    path.write_text("old")
    write_page(synthetic_run(draws=1), path)
    first = path.read_bytes()
    assert first.startswith(b"<!DOCTYPE html>")
    assert [child.name for child in tmp_path.iterdir()] == ["gap.html"]
    write_page(synthetic_run(draws=1), str(path))
    assert path.read_bytes() == first


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InvalidInput, match=r"file cannot be written.*nowhere"):
        write_page(synthetic_run(draws=1), tmp_path / "nowhere" / "gap.html")


def test_an_unwritable_name_leaves_no_draft(tmp_path):
    (tmp_path / "gap.html").mkdir()
    with pytest.raises(InvalidInput, match="file cannot be written"):
        write_page(synthetic_run(draws=1), tmp_path / "gap.html")
    assert [child.name for child in tmp_path.iterdir()] == ["gap.html"]


def test_without_plotly_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(MissingExtra, match=r"slth\[report\]"):
        write_page(synthetic_run(draws=1), tmp_path / "gap.html")
    assert list(tmp_path.iterdir()) == []


def test_slth_and_its_report_load_no_plotting_library():
    code = "import slth, slth.report, sys; sys.exit('plotly' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


ODD_RUNS = {
    "nothing done": synthetic_run(complete=False, keep=lambda row: False),
    "one cell": synthetic_run(complete=False, keep=lambda row: row.draw == 0 and row.eps == 0.25),
    "one eps": synthetic_run(eps=(0.25,)),
    "no neurons": synthetic_run(keep=lambda row: row.series.pruning == "weights"),
    "d = 1": synthetic_run(d=1),
    "d = 9": synthetic_run(d=9),
    "relu": synthetic_run(readout="relu"),
}


@pytest.mark.parametrize("name", ODD_RUNS)
def test_every_run_gets_a_page(name):
    page = render(ODD_RUNS[name])
    assert "NaN" not in re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert ("This run was interrupted" in page) is (not ODD_RUNS[name].complete)


def test_widths_not_found_are_shown_as_such():
    def lost(row):
        return dataclasses.replace(
            row, found=None, found_error=None, kept=None, kept_units=(), tried=20_000
        )

    run = synthetic_run()
    run = dataclasses.replace(run, rows=tuple(lost(row) for row in run.rows))
    page = render(run)
    assert "was not seen to succeed within the limits" in page
    assert "a draw with no ticket found up to this width" in page
    assert "No neuron ticket was found" in page


def test_the_readout_is_explained():
    assert "is for the linear readout. There it binds weight pruning as well" in render(
        synthetic_run(draws=1)
    )
    assert "neuron and weight pruning coincide" in render(synthetic_run(draws=1, d=1))
    assert "like-for-like" in render(synthetic_run(draws=1, readout="relu"))


def test_the_command_and_the_plan_reproduce_the_run():
    run = synthetic_run(readout="relu")
    assert command(run) == (
        "slth gap --d 2 --readout relu --eps-min 0.03125 --draws 3 --seed 7 "
        "--max-width 20000 --search-seconds 2.0"
    )
    shown = re.search(r'<pre id="plan">(.*?)</pre>', render(run), flags=re.S)
    assert shown is not None
    plan = json.loads(shown[1].replace("&quot;", '"'))
    assert plan == json.loads(json.dumps(dataclasses.asdict(run.plan)))
