"""Copies and pickles of all that slth hands out are the same, and their arrays stay read-only."""

from __future__ import annotations

import copy
import inspect
import pickle
from dataclasses import fields, is_dataclass
from enum import Enum

import numpy as np
import pytest

import slth

NET = slth.random_network(3, 8, 1)
TARGET = slth.neuron([2.0, -1.0, 2.0], normalize=True)
KERNEL = np.arange(4.0).reshape(1, 1, 2, 2)
DEEP = slth.DeepNetwork(
    [slth.Dense([[1.0, -2.0], [0.5, 3.0]], [0.25, -1.0]), slth.Dense([[1.0, 1.0], [0.0, -1.0]])]
)
SMALL = slth.Box([0.0, 0.0], [1.0, 1.0])

# How each public class is made; a new one enrolls here.
MAKE = {
    "AveragePool": lambda: slth.AveragePool((2, 2)),
    "Ball": lambda: slth.Ball(2.0, [0.5, 0.0]),
    "Box": lambda: SMALL,
    "Compression": lambda: slth.compress(DEEP, SMALL, eps=10.0),
    "Conv": lambda: slth.Conv(KERNEL, [0.5]),
    "DeepNetwork": lambda: DEEP,
    "Dense": lambda: slth.Dense([[1.0, 2.0]], [3.0]),
    "Embedding": lambda: slth.embed(DEEP, eps=0.1, domain=SMALL),
    "Enclosure": lambda: slth.certify(NET, TARGET),
    "Enclosures": lambda: slth.certify_many(NET, TARGET, np.eye(8, dtype=bool)),
    "Identity": slth.Identity,
    "LabelVerdict": lambda: slth.agree(DEEP, DEEP, SMALL),
    "LeakyRelu": lambda: slth.LeakyRelu(0.25),
    "Mask": lambda: slth.Mask.of_units([True, False, True], 2),
    "Orthant": lambda: slth.Orthant(2.0),
    "ReLUNetwork": lambda: NET,
    "Relu": slth.Relu,
    "Residual": lambda: slth.Residual([slth.Dense(np.eye(2)), slth.Relu()]),
    "Solution": lambda: slth.prune_neurons(NET, TARGET, time_limit=None),
    "Ticket": lambda: slth.Ticket.from_solution(
        slth.prune_neurons(NET, TARGET, time_limit=None), NET, TARGET
    ),
}
# Checked from files; errors, which Python copies by their arguments; words.
OTHER = {"InvalidInput", "MissingExtra", "SlthError", "Status", "TicketError", "Verdict"}
HOW = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
}


def alike(first: object, second: object) -> None:
    """Equal through and through, and arrays read-only in both."""
    assert type(first) is type(second)
    if isinstance(first, np.ndarray):
        assert not first.flags.writeable
        assert not second.flags.writeable
        assert first.dtype == second.dtype
        np.testing.assert_array_equal(first, second)
    elif isinstance(first, (tuple, list)):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            alike(one, other)
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        for key, one in first.items():
            alike(one, second[key])
    elif is_dataclass(first) and not isinstance(first, Enum):
        for field in fields(first):
            alike(getattr(first, field.name), getattr(second, field.name))
    else:
        assert first == second


def test_every_public_class_is_enrolled():
    classes = {name for name in slth.__all__ if inspect.isclass(getattr(slth, name))}
    assert classes == MAKE.keys() | OTHER


@pytest.fixture(scope="module")
def made():
    values = {}
    return lambda name: (
        values.setdefault(name, None) or values.update({name: MAKE[name]()}) or (values[name])
    )


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("name", MAKE)
def test_copies_are_the_same_and_stay_read_only(made, name, how):
    value = made(name)
    assert type(value).__name__ == name
    alike(value, HOW[how](value))


def test_a_writable_copy_would_be_found():
    class Holder:
        array = np.zeros(2)

    with pytest.raises(AssertionError):
        alike(Holder.array, Holder.array.copy())


@pytest.mark.parametrize("how", HOW)
def test_errors_keep_their_words(how):
    error = slth.InvalidInput("weights", got="complex", expected="float64", fix="Take .real.")
    same = HOW[how](error)
    assert str(same) == str(error)
    assert type(same) is slth.InvalidInput
