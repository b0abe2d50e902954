"""The zonal bound, sharpened by screening with measures about the units themselves.

A measure about w* bounds every subset at the cost of the units nearly aligned with w*. A measure
mu about v_i bounds those that keep unit i: with s the sign of alpha_i,

    sup |g_S - f| >= |alpha_i| F - sum_(j != i) max(0, -s alpha_j I(theta_ij)) - max(0, s I_i),

I_i what the target shows. If that reaches c, no subset of error below c keeps i, so a bound
h for the subsets without all such i gives min(c, h) for every subset. A unit of |alpha_i| > ||w*||
is rarely kept, so most of the output weight near w* goes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from slth.limits import Deadline
from slth.network import FloatArray
from slth.pruning.neurons.problem import Problem
from slth.pruning.neurons.zonal.bound import Surroundings
from slth.pruning.neurons.zonal.seen import Table, most_seen
from slth.pruning.neurons.zonal.setting import Setting
from slth.rounding.outward import UNIT
from slth.theory.zonal import Guess

# Units nearest to +-w* that are screened: those beyond add 1 % to what a measure about w* costs.
_SCREENED = 200
# Strengths of a unit, over the target's norm, for which measures are chosen, and where the first
# ends: a unit much stronger than the target is refuted by any.
_STRENGTHS, _STRONG = (1.3, 2.2), 1.8


@dataclass(frozen=True)
class Reason:
    """Why the masks spoken of err: a measure about a unit that they keep, or about the target.

    unit: the unit, -1 for the target.
    """

    unit: int
    guess: Guess


@dataclass(frozen=True)
class ZonalBound:
    """A proven lower bound on the error of every subset on the unit ball, and why.

    drops: the units that no subset of smaller error keeps; last: for the subsets without them,
    None where nothing is proven.
    """

    value: float
    drops: tuple[Reason, ...] = ()
    last: Reason | None = None


_NOTHING = ZonalBound(0.0)


def zonal_bound(problem: Problem, deadline: Deadline) -> ZonalBound:
    """The better of a measure about the target alone and of screening before it.

    Nothing is proven for the relu readout, d < 3, a target of more than one unit, no units, and
    where there is no time.
    """
    setting = Setting.of(problem)
    if setting is None or deadline.expired:
        return _NOTHING
    best = _about_target(setting, (), math.inf, deadline)
    if best.value > 0.0 and not deadline.expired:
        found = _screened(setting, best.value, deadline)
        best = found if found.value > best.value else best
    # size is off by at most (d + 4) u of itself; two roundings of the product.
    value = best.value * setting.size * (1.0 - (setting.d + 16) * 2.0 * UNIT)
    return replace(best, value=value)


def _about_target(
    setting: Setting, drops: tuple[Reason, ...], cutoff: float, deadline: Deadline
) -> ZonalBound:
    """min(cutoff, what a measure about the target proves of the subsets without `drops`)."""
    around = _around_target(setting, drops)
    guess = around.chosen(setting.d, setting.scale)
    if guess is None:
        return _NOTHING
    profile = around.profile(guess, setting.d, setting.scale, lambda: deadline.expired)
    spent = most_seen(profile, setting.to_target, setting.slack, _without(setting, drops))
    value = min(cutoff, _difference(profile.total, spent))
    return ZonalBound(value, drops, Reason(-1, guess)) if value > 0.0 else _NOTHING


def _without(setting: Setting, drops: tuple[Reason, ...]) -> FloatArray:
    """The alphas, 0 for the dropped units."""
    alphas = setting.alphas.copy()
    alphas[[reason.unit for reason in drops]] = 0.0
    return alphas


def _around_target(setting: Setting, drops: tuple[Reason, ...]) -> Surroundings:
    return Surroundings.about(setting.to_target, _without(setting, drops), setting.scale)


def _difference(total: float, spent: float) -> float:
    """At most total - spent; `total` may be a few roundings above its own value."""
    return max(0.0, (total * (1.0 - 8.0 * UNIT) - spent) * (1.0 - 4.0 * UNIT))


def _screened(setting: Setting, least: float, deadline: Deadline) -> ZonalBound:
    """Drop those of the nearest units whose bounds are largest, as many as serve best.

    With k of them dropped the cutoff is the least of their bounds: it falls, and what a measure
    about the target proves of the rest grows with k. They cross once; the values of the program
    that chooses the measure say where.
    """
    judged = _judged(setting, least, deadline)
    judged.sort(key=lambda pair: -pair[0])
    low, high = 0, len(judged)
    while low < high and not deadline.expired:
        middle = (low + high) // 2
        drops = tuple(reason for _, reason in judged[: middle + 1])
        guess = _around_target(setting, drops).chosen(setting.d, setting.scale)
        if guess is not None and guess.value < judged[middle][0]:
            low = middle + 1
        else:
            high = middle
    best = _NOTHING
    # The crossing lies between two counts, and the program's values are a little too large.
    for count in (low, low + 1):
        if 0 < count <= len(judged) and not deadline.expired:
            drops = tuple(reason for _, reason in judged[:count])
            found = _about_target(setting, drops, judged[count - 1][0], deadline)
            best = found if found.value > best.value else best
    return best


def _judged(setting: Setting, least: float, deadline: Deadline) -> list[tuple[float, Reason]]:
    """For the units nearest to the target, what every subset that keeps each of them errs at least,
    where that is above `least`."""
    count = min(_SCREENED, setting.alphas.shape[0])
    nearest = np.argpartition(setting.to_target, count - 1)[:count]
    nearest = nearest[np.argsort(setting.to_target[nearest], kind="stable")]
    measures = _measures(setting, deadline)
    judged = []
    for unit in nearest.tolist():
        if deadline.expired:
            break
        strength = abs(float(setting.alphas[unit]))
        if not measures or strength * max(table.profile.total for _, table in measures) <= least:
            continue
        guess, table = measures[-1 if strength > _STRONG else 0]
        bound = _keeping(setting, unit, table)
        if bound > least:
            judged.append((bound, Reason(unit, guess)))
    return judged


def _measures(setting: Setting, deadline: Deadline) -> list[tuple[Guess, Table]]:
    """Measures for the strengths, by what surrounds a direction on average."""
    mean = Surroundings.uniform(float(np.abs(setting.alphas).sum()), setting.d, setting.scale)
    found = []
    for strength in _STRENGTHS:
        guess = mean.chosen(setting.d, setting.scale, strength)
        if guess is not None and not deadline.expired:
            profile = mean.profile(guess, setting.d, setting.scale, lambda: deadline.expired)
            found.append((guess, Table.of(profile, setting)))
    return found


def _keeping(setting: Setting, unit: int, table: Table) -> float:
    """What every subset that keeps the unit errs at least; target of norm 1."""
    sign = math.copysign(1.0, float(setting.alphas[unit]))
    alphas = -sign * setting.alphas
    alphas[unit] = 0.0
    spent = table.most_seen(setting, setting.rows[unit], alphas)
    # The target as one more unit, of strength -1, that is always there.
    to_target = setting.to_target[unit : unit + 1]
    spent += most_seen(table.profile, to_target, setting.slack, np.array([sign]))
    # |alpha_i| is rounded up by at most (d + 16) 4 u, and its own axis is exact.
    size = abs(float(setting.alphas[unit])) * (1.0 - (setting.d + 16) * 4.0 * UNIT)
    return _difference(size * table.profile.total, spent * (1.0 + 4.0 * UNIT))
