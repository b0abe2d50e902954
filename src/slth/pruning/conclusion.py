"""What a search can say when it stops, as three facts that do not depend on each other.

The words that users see (`slth.solution.Status`) are derived from them here and nowhere else.
MathOptInterface keeps its termination, primal and dual statuses apart in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from slth.proof import OPTIMAL_WITHIN
from slth.solution import Status, Stop

# No better ticket exists when bound >= (1 - this) * upper: a little more than the checker asks
# for, because a ticket may state its upper bound a little higher.
OPTIMALITY = 0.8 * OPTIMAL_WITHIN


class Aim(Enum):
    """What is asked: the least error, any ticket within eps, or the fewest units within eps."""

    LEAST_ERROR = "least error"
    WITHIN = "within eps"
    FEWEST = "fewest within eps"


class OfTicket(Enum):
    """What is known of the best ticket met."""

    NOTHING = "none is certified"
    ENCLOSED = "its error is enclosed, on which side of eps is open or was not asked"
    WITHIN = "its error is at most eps"
    BEYOND = "its error is more than eps"


class OfAll(Enum):
    """What is known of all tickets of that kind."""

    OPEN = "nothing that answers the question"
    NONE_BETTER = "none has a smaller error, within the tolerance, or fewer units within eps"
    NONE_WITHIN = "none has an error of at most eps"


@dataclass(frozen=True)
class Conclusion:
    """Why a search stopped, what it knows of its best ticket, and of all tickets."""

    stopped: Stop
    of_ticket: OfTicket
    of_all: OfAll

    def status(self, aim: Aim) -> Status:
        """The word for users."""
        return status_of(aim, self.of_ticket, self.of_all)


def status_of(aim: Aim, of_ticket: OfTicket, of_all: OfAll) -> Status:
    """The word for what is known; why the search stopped never changes it."""
    if aim is Aim.LEAST_ERROR:
        return Status.OPTIMAL if of_all is OfAll.NONE_BETTER else Status.FEASIBLE
    if of_ticket is OfTicket.WITHIN:
        if aim is Aim.WITHIN:
            return Status.REACHED
        return Status.OPTIMAL if of_all is OfAll.NONE_BETTER else Status.FEASIBLE
    return Status.REFUTED if of_all is OfAll.NONE_WITHIN else Status.UNKNOWN
