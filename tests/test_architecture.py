"""The house rules: imports run downwards, files stay small, the core is light."""

import ast
import importlib
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import slth

SOURCE = Path(slth.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))

# A room may import those on earlier lines only (and its own files).
LAYERS = [
    {"errors", "notebook", "frozen", "compiling", "copying", "windows"},
    {"rounding"},
    {"network", "domain", "theory", "layers"},
    {"registry", "files", "proof", "limits", "threads", "exact", "archive", "deep"},
    {"archived"},
    {"solution", "doors", "verdict", "pair_proof", "latitudes"},
    {"check_pair"},
    {"certify"},
    {"pruning"},
    {"ticket", "embed"},
    {"zonal_check"},
    {"check"},
    {"lab", "warmup"},
    {"report"},
    {"cli"},
]
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
# The checker and the theory are to be read on their own.
ONLY = {
    "theory": {"errors", "rounding"},
    "check": {
        *{"network", "ticket", "exact", "proof", "errors", "verdict"},
        *{"check_pair", "pair_proof", "deep", "zonal_check"},
    },
    "zonal_check": {"network", "ticket", "exact", "proof", "latitudes"},
    "latitudes": {"exact"},
    "check_pair": {
        *{"deep", "layers", "domain", "exact", "errors", "rounding", "pair_proof", "verdict"},
    },
    "archived": {"archive", "errors", "files"},
    "pair_proof": {"archive", "archived", "domain", "errors", "frozen"},
    "ticket": {"network", "solution", "exact", "archive", "archived", "proof", "errors"},
}


def room_of(path):
    relative = path.relative_to(SOURCE)
    return relative.parts[0].removesuffix(".py")


def imported_rooms(path):
    """Rooms of slth that a file imports anywhere, lazily or not."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.level:
                raise AssertionError(f"{path}: relative import")
            parts = node.module.split(".")
            if parts[0] == "slth":
                yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "slth" and len(parts) > 1:
                    yield parts[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_run_downwards(path):
    room = room_of(path)
    if room == "__init__":
        return
    for other in imported_rooms(path):
        if other == room or (room == "cli" and other == "__version__"):
            continue
        if room in ONLY:
            assert other in ONLY[room], f"{room} may import {ONLY[room]} only, not {other}"
        assert RANK[other] < RANK[room] or room == "cli", f"{room} imports {other}"


@pytest.mark.parametrize(("room", "other"), [("neurons", "weights"), ("weights", "neurons")])
def test_prunings_do_not_know_each_other(room, other):
    for path in (SOURCE / "pruning" / room).rglob("*.py"):
        assert f"slth.pruning.{other}" not in path.read_text(), path


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_files_stay_small(path):
    assert len(path.read_text().splitlines()) <= 500


def test_importing_slth_loads_no_extra():
    extras = ("torch", "sklearn", "dask", "distributed", "plotly", "matplotlib", "pandas")
    code = f"import slth, sys; print([name for name in {extras} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_resolves_and_is_documented():
    for name in slth.__all__:
        assert getattr(slth, name).__doc__, name


def test_benchmarks_import_what_there_is():
    """They are not run here: a renamed function would be found by whoever measures next."""
    missing = []
    for path in sorted((SOURCE.parents[1] / "benchmarks").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("slth"):
                room = importlib.import_module(node.module)
                for name in (alias.name for alias in node.names):
                    if not (hasattr(room, name) or find_spec(f"{node.module}.{name}")):
                        missing.append(f"{path.name}: {node.module}.{name}")
    assert missing == []
