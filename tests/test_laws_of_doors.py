"""The law of doors: every way in gives the network that was passed, or refuses and says why; and
every verb answers about that network, or refuses. The tables are in doors_table.py."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest

import slth
from slth.doors import files
from tests import clocks
from tests.doors_table import (
    BY_OTHERS,
    CASES,
    COUNTS,
    DOORS,
    FRACTIONS,
    HOSTILE,
    NEITHER,
    NUMBERS,
    OBJECTS,
    PLAIN,
    THEORY,
    UNKNOWN,
    VERBS,
    WEIGHTS,
    Case,
    hostile_values,
)

POINTS = np.random.default_rng(0).normal(size=(200, 2))
POINTS /= np.maximum(1.0, np.linalg.norm(POINTS, axis=1))[:, None]


def refusal(call):
    """The refusal of a call; fails where it answers."""
    with pytest.raises(slth.InvalidInput) as caught:
        call()
    text = str(caught.value)
    parts = re.fullmatch(r"(?s)(.+): got (.+); expected (.+?)\. (.+)", text)
    assert parts is not None, f"not what, got, expected and fix: {text}"
    return text


def named(cases):
    return [pytest.param(case, id=case.name) for case in cases]


@pytest.mark.parametrize("case", named(CASES))
def test_the_cases_tell_functions_apart(case):
    """A network of the table is not constant, and moved it is another function."""
    values = case(POINTS)
    assert (np.ptp(values, axis=0) > 0.01).all()
    assert case.difference(case.moved(), POINTS) > 0.01


def test_every_public_name_and_every_kind_of_file_is_enrolled():
    known = {*VERBS, *BY_OTHERS, *NUMBERS, *NEITHER}
    assert set(slth.__all__) <= known, "enroll the new verb in doors_table.py"
    assert not set(NEITHER) & {*VERBS, *NUMBERS}
    assert {*NEITHER, *BY_OTHERS} <= set(slth.__all__)
    suffixes = {door.suffix for door in DOORS.values()} - {None}
    assert suffixes == {*files._READERS, *files._STATES}, "enroll the new format as a door"
    written = {name.removeprefix("written ") for name in DOORS if name.startswith("written")}
    assert written == set(files._WRITERS)


@pytest.mark.parametrize("case", named(CASES))
@pytest.mark.parametrize("name", DOORS)
def test_a_door_gives_the_network_that_was_passed(name, case, tmp_path):
    door = DOORS[name]
    if not door.takes(case):
        pytest.skip("not to be said there")
    network = door.enter(case, tmp_path, {})
    values = network(POINTS).reshape(len(POINTS), -1)
    np.testing.assert_allclose(values, case(POINTS), rtol=1e-12, atol=1e-12)
    zero_biases = all(b is None or not np.any(b) for _, b in case.layers)
    one = len(case.layers) == 2 and len(case.layers[-1][0]) == 1
    is_plain = one and zero_biases and case.last in (None, "relu")
    assert isinstance(network, slth.ReLUNetwork) == is_plain


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, door in DOORS.items() for kind in door.hostile]
)
@pytest.mark.parametrize("where", ["weight", "bias"])
def test_a_door_refuses_what_no_float_holds(name, kind, where, tmp_path):
    array = {**HOSTILE, **OBJECTS}[kind]
    if where == "bias" and (kind == "ragged" or DOORS[name].one_hidden):
        pytest.skip("not to be said there")
    if where == "bias":
        column = [row[0] for row in array] if isinstance(array, list) else array[:, 0]
        first = PLAIN.layers[0][0], column
    else:
        first = array, None
    hostile = Case("hostile", [first, PLAIN.layers[1]])
    refusal(lambda: DOORS[name].enter(hostile, tmp_path, {}))


@pytest.mark.parametrize("name", [name for name, door in DOORS.items() if door.extra])
def test_a_door_refuses_arrays_that_no_layer_uses(name, tmp_path):
    key, array = UNKNOWN
    text = refusal(lambda: DOORS[name].enter(PLAIN, tmp_path, {key: array}))
    assert key in text


@pytest.mark.parametrize("case", named(CASES))
@pytest.mark.parametrize("name", VERBS)
def test_a_verb_answers_about_the_network_or_refuses(monkeypatch, name, case):
    clocks.use(monkeypatch, clocks.Ticking())
    verb, other = VERBS[name], case.moved()

    def ask():
        return verb.ask(case.network(), other.network())

    one_output = len(case.layers[-1][0]) == 1
    if (
        (verb.only_plain and not case.plain)
        or (verb.labels and one_output)
        or case.name in verb.refused
    ):
        refusal(ask)
    else:
        verb.right(ask(), case, other, POINTS)


@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if not verb.only_plain])
def test_a_verb_compares_networks_of_one_shape_and_one_end_only(name):
    if name in ("as_network", "compress", "DeepNetwork", "embed"):
        pytest.skip("takes one network")
    by_name = {case.name: case.network() for case in CASES}
    ends = by_name["last softmax"], by_name["several outputs"]
    outputs = by_name["several outputs"], by_name["last relu, biased"]
    for pair in (ends, outputs):
        refusal(lambda pair=pair: VERBS[name].ask(*pair))


@pytest.mark.parametrize("name", NUMBERS)
def test_what_takes_numbers_takes_what_the_table_gives(name):
    NUMBERS[name].call(**NUMBERS[name].given)


@pytest.mark.parametrize(
    ("name", "argument"), [(name, a) for name, entry in NUMBERS.items() for a in entry.arrays]
)
def test_arrays_that_float64_does_not_hold_are_refused(name, argument):
    entry = NUMBERS[name]
    for _, value in hostile_values(entry.given[argument]):
        refusal(lambda value=value: entry.call(**{**entry.given, argument: value}))


@pytest.mark.parametrize(
    ("name", "argument"), [(name, a) for name, entry in NUMBERS.items() for a in entry.counts]
)
@pytest.mark.parametrize("kind", FRACTIONS)
def test_counts_are_whole_numbers(name, argument, kind):
    entry, value = NUMBERS[name], FRACTIONS[kind]
    optional = inspect.signature(entry.call).parameters.get(argument)
    if value is None and optional is not None and optional.default is None:
        pytest.skip("may be left out")
    refusal(lambda: entry.call(**{**entry.given, argument: value}))


def theory_arguments():
    for name in slth.theory.__all__:
        function = getattr(slth.theory, name)
        if inspect.isfunction(function):
            for argument in inspect.signature(function).parameters:
                if argument in COUNTS | WEIGHTS:
                    yield name, argument


def test_every_statement_of_the_theory_is_enrolled():
    assert {name for name, _ in theory_arguments()} == set(THEORY), "enroll it in doors_table.py"


@pytest.mark.parametrize("name", sorted(set(THEORY) - {"audit"}))
def test_statements_take_what_the_table_gives(name):
    getattr(slth.theory, name)(**THEORY[name])


@pytest.mark.parametrize(
    ("name", "argument"), [(n, a) for n, a in theory_arguments() if a in THEORY.get(n, {})]
)
def test_statements_are_about_the_numbers_that_were_passed(name, argument):
    function, given = getattr(slth.theory, name), THEORY[name]
    if argument in COUNTS:
        for value in FRACTIONS.values():
            refusal(lambda value=value: function(**{**given, argument: value}))
    else:
        for _, value in hostile_values(given[argument]):
            refusal(lambda value=value: function(**{**given, argument: value}))
