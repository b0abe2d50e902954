"""Every mask of a narrow network is bounded before anything else; the searches and proofs for
wider ones are tested on narrow ones too, where every answer is known."""

import pytest

from slth.pruning.neurons import fewest, pipeline


@pytest.fixture(autouse=True)
def as_if_wide(request, monkeypatch):
    if request.path.name != "test_enumeration.py":
        monkeypatch.setattr(pipeline, "MOST_UNITS", -1)
        monkeypatch.setattr(fewest, "MOST_UNITS", -1)
