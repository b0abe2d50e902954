"""Names from outside: by a call, by an entry point, and what is refused."""

import re
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import slth
from slth import InvalidInput
from slth.cli import run
from slth.cli.prune import app
from slth.lab.searchers import searcher_of, searchers
from slth.pruning.neurons.contenders import CONTENDERS, REFITS, contend
from slth.pruning.weights.strategies import STRATEGIES
from slth.registry import Registry

DOCS = Path(__file__).parents[1] / "docs"
NET, TARGET = slth.random_network(3, 12, 0, "relu"), slth.neuron([1.0, 0.0, 0.0])


def keep_first(problem, rng, deadline):
    """Keeps the first unit. A second sentence."""
    return np.arange(problem.width) == 0


def serve_first(values, wanted, tolerance):
    return np.arange(min(1, len(values)))


class TakesNothing:
    pass


@pytest.fixture
def registered(monkeypatch):
    """Contenders and strategies of this test only."""
    for registry in (CONTENDERS, STRATEGIES):
        monkeypatch.setattr(registry, "_entries", registry.own())


@pytest.fixture
def entry_points(monkeypatch):
    """Makes entry points: called with group and `name = module:function` texts."""

    def make(group, **named):
        points = [metadata.EntryPoint(name, value, group) for name, value in named.items()]

        def found(*, group):
            return metadata.EntryPoints(point for point in points if point.group == group)

        monkeypatch.setattr(metadata, "entry_points", found)
        for registry in (CONTENDERS, STRATEGIES):
            monkeypatch.setitem(registry.__dict__, "_found", None)
            monkeypatch.delitem(registry.__dict__, "_found")

    return make


@pytest.mark.usefixtures("registered")
def test_a_contender_registered_here_is_certified_and_swept():
    slth.contenders.register("first-unit", keep_first, summary="the first unit")
    found = contend(NET, TARGET, "first-unit")
    assert np.flatnonzero(found.mask.output).tolist() == [0]
    again = slth.certify(found.pruned, TARGET)
    assert again.lower <= found.error.upper
    assert found.stats["searcher"] == "first-unit"
    swept = searcher_of("neurons", "first-unit")
    answer = swept(NET, TARGET, eps=None, time_limit=None, seed=0, report=lambda _: None)
    assert answer.mask == found.mask
    assert "first-unit (the first unit)" in CONTENDERS.described()


@pytest.mark.usefixtures("registered")
def test_a_strategy_registered_here_is_certified_and_swept():
    slth.strategies.register("first", serve_first, summary="the first value")
    found = slth.prune_weights(NET, TARGET, strategy="first")
    assert 1 <= found.mask.kept_units <= 6
    assert slth.certify(found.pruned, TARGET).lower <= found.error.upper
    assert "first" in searchers("weights")


def test_entry_points_are_found_by_every_door(entry_points, capsys):
    entry_points("slth.contenders", lucky="tests.test_registry:keep_first")
    assert contend(NET, TARGET, "lucky").mask.kept_units == 1
    assert "lucky" in searchers("neurons")
    assert "lucky (of tests.test_registry)" in CONTENDERS.described()
    code = run(["prune", "neurons", "--d", "3", "--width", "12", "--strategy", "lucky", "--json"])
    assert code == 0
    assert '"searcher": "lucky"' in capsys.readouterr().out
    with pytest.raises(InvalidInput, match="lucky"):
        contend(NET, TARGET, "unlucky")
    entry_points("slth.strategies", first="tests.test_registry:serve_first")
    assert slth.prune_weights(NET, TARGET, strategy="first").status == "feasible"


def test_entry_points_that_do_not_fit_are_named(entry_points):
    entry_points("slth.contenders", absent="tests.test_registry:absent")
    with pytest.raises(InvalidInput, match="'absent' cannot be loaded"):
        contend(NET, TARGET, "absent")
    entry_points("slth.contenders", nothing="tests.test_registry:TakesNothing")
    with pytest.raises(InvalidInput, match=r"nothing\(problem, rng, deadline\)"):
        contend(NET, TARGET, "nothing")
    entry_points("slth.contenders", single="tests.test_registry:keep_first")
    with pytest.raises(InvalidInput, match="taken"):
        contend(NET, TARGET, "single")
    # Help texts still appear.
    assert "single (of tests.test_registry)" in CONTENDERS.described()


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("name", ["single", "slth", *REFITS, "", "two words", "a,b", 3, None])
def test_names_that_are_taken_or_no_words_are_refused(name):
    with pytest.raises(InvalidInput, match="name of a contender"):
        slth.contenders.register(name, keep_first, summary="the first unit")
    with pytest.raises(InvalidInput, match="name of a strategy"):
        slth.strategies.register("free", serve_first, summary="the first value")


@pytest.mark.parametrize("function", [None, 3, serve_first.__name__, lambda problem: None, print])
def test_functions_that_cannot_be_called_so_are_refused(function):
    registry = Registry("thing", "slth.things", ("one", "two"))
    if function is print:
        registry.register("print", function, summary="takes anything")
        return
    with pytest.raises(InvalidInput, match=r"called as lucky\(one, two\)"):
        registry.register("lucky", function, summary="luck")


@pytest.mark.parametrize("summary", ["", " ", "two\nlines", None])
def test_a_summary_is_a_line(summary):
    with pytest.raises(InvalidInput, match="summary"):
        Registry("thing", "slth.things", ()).register("lucky", lambda: None, summary=summary)


def test_a_clash_with_an_entry_point_is_refused(entry_points):
    entry_points("slth.contenders", lucky="tests.test_registry:keep_first")
    assert "lucky" in CONTENDERS.names()
    with pytest.raises(InvalidInput, match="taken"):
        slth.contenders.register("lucky", keep_first, summary="the first unit")


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("answer", [[0], np.zeros(12), np.zeros(11, bool), None])
def test_what_a_contender_gives_is_looked_at(answer):
    slth.contenders.register("wrong", lambda problem, rng, deadline: answer, summary="wrong")
    with pytest.raises(InvalidInput, match="'wrong' does not give a mask"):
        contend(NET, TARGET, "wrong")


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize("answer", [[0], np.array([99]), np.array([-1]), np.array([True]), None])
def test_what_a_strategy_gives_is_looked_at(answer):
    slth.strategies.register("wrong", lambda values, wanted, tolerance: answer, summary="wrong")
    with pytest.raises(InvalidInput, match="does not give indices"):
        slth.prune_weights(NET, TARGET, strategy="wrong")


@pytest.mark.parametrize(
    ("page", "registry", "verb"),
    [("neurons.md", CONTENDERS, "neurons"), ("weights.md", STRATEGIES, "weights")],
)
def test_pages_and_help_list_what_is_registered(page, registry, verb, capsys):
    rows = [f"| `{name}` | {entry.summary} |" for name, entry in registry.own().items()]
    assert "\n".join(rows) in (DOCS / page).read_text()
    app(["prune", verb, "--help"][1:], result_action="return_value")
    shown = re.sub(r"[\s│]+", " ", capsys.readouterr().out)
    for name, entry in registry.own().items():
        assert f"{name} ({entry.summary})" in shown
