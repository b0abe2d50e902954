"""Every test draws the same numbers, whichever ran before it."""

import pytest

from tests.doors import graphs


@pytest.fixture(autouse=True)
def _draws_from_the_start():
    graphs.restart()
