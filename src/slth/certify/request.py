"""What a caller of the certifier wants to know of a supremum, and how long it may take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from slth.certify.unit_pair import is_closed
from slth.limits import Deadline, Report, silent


@dataclass(frozen=True)
class Request:
    """As `slth.certify` takes it.

    Attributes:
        rtol, eps: when the question is answered, see `is_closed`.
        deadline: when to return with what is proven.
        seed: of the starts of the searches.
        report: called with the progress.
    """

    rtol: float
    eps: float | None
    deadline: Deadline
    seed: int = 0
    report: Report = silent

    def about(self, eps: float | None) -> Request:
        """The same with another threshold."""
        return replace(self, eps=eps)

    def within(self, seconds: float) -> Request:
        """The same with so many seconds of what is left."""
        return replace(self, deadline=self.deadline.within(seconds))

    def closed_by(self, lower: float, upper: float, noise: float) -> bool:
        """Whether these bounds answer the question."""
        return is_closed(lower, upper, self.rtol, noise, self.eps)
