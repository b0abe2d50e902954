"""Do two networks name the same label, everywhere on a domain or around rows of data?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from slth.certify.comparison import Comparison
from slth.certify.deep import DeepComparison
from slth.certify.deep.labels import (
    Agreement,
    Halving,
    Question,
    SameLabel,
    margin_of,
    other_labels,
)
from slth.deep import DeepNetwork
from slth.domain import Box, Domain
from slth.errors import (
    InvalidInput,
    require_array,
    require_number,
    require_seed,
    require_time_limit,
)
from slth.frozen import Rebuilt
from slth.layers import FloatArray
from slth.limits import Deadline, Report, silent, stopped_by_interrupt


class Agrees(StrEnum):
    """What was proven of labels: AGREE (there is no point of the domain with another label),
    DIFFER (there is one, `witness`), or UNKNOWN."""

    AGREE = "agree"
    DIFFER = "differ"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class LabelVerdict(Rebuilt):
    """Whether two networks have the same label.

    Attributes:
        status: "agree", "differ" or "unknown".
        witness: float64 [d], a point of the domain where the labels differ for certain; None
            unless "differ".
        method: what proved it.
        nodes: boxes looked at.
    """

    status: Agrees
    witness: FloatArray | None
    method: str
    nodes: int

    def __repr__(self) -> str:
        return f"LabelVerdict({self.status}, {self.nodes} boxes)"


def agree(
    net: object,
    target: object,
    domain: Domain,
    *,
    delta: float | None = None,
    time_limit: float | None = 60.0,
    seed: int = 0,
    report: Report = silent,
) -> LabelVerdict:
    """Whether target names the label that net names, everywhere on a domain.

    They *differ* if at some x some output j is the strict maximum of net and not among the maxima
    of target; they *agree* if there is no such x. So a network agrees with itself.

    Args:
        net, target: networks of the same inputs and of the same outputs, at least two; anything
            that `slth.as_network` takes. A last softmax or sigmoid changes no label.
        domain: Ball, Box or Orthant.
        delta: only x with softmax(net(x))_j > delta count, 0 <= delta < 1; decided in ball
            arithmetic, the boundary counting as not exceeding. None: all x.
        time_limit: seconds; None means no limit. Ctrl-C ends the search like a passed limit.
        seed: of the random starts of the search for a witness.
        report: called with the number of open boxes.

    Raises:
        InvalidInput: networks that cannot be compared, one output, a bad delta, limit or seed.
    """
    pair = Comparison.of(net, target)
    deep = pair.on(domain)
    _require_labels(deep.net)
    delta = _require_delta(delta)
    seed, limit = require_seed(seed), require_time_limit(time_limit)
    deadline = Deadline(limit)
    with stopped_by_interrupt(deadline):
        if deep.by_interval == 0.0:
            return LabelVerdict(Agrees.AGREE, None, "equal functions", 0)
        margin = 0.0 if delta is None else margin_of(delta, deep.net.outputs)
        question = Agreement(deep.difference, deep.region, margin, delta)
        return _decided(deep, question, seed, deadline, report)


def agree_on(
    net: object,
    target: object,
    X: ArrayLike,
    *,
    radius: float,
    within: Box | None = None,
    time_limit: float | None = 60.0,
    seed: int = 0,
    report: Report = silent,
) -> list[LabelVerdict]:
    """Per row of a data set: whether target has, everywhere on the box around the row, the label
    that net has at the row.

    Args:
        net, target: as for `agree`. The label of net is its first largest output, in floats.
        X: float64 [rows, d].
        radius: half the side of the boxes.
        within: a Box that the boxes are cut with.
        time_limit: seconds for all rows; each row has its share of what is left.
        seed, report: as for `agree`.

    Returns:
        One verdict a row.

    Raises:
        InvalidInput: as `agree`; rows of another length or outside `within`.
    """
    pair = Comparison.of(net, target)
    rows = require_array("X", X, ndim=2)
    first = DeepNetwork.of(pair.net)
    _require_labels(first)
    seed, limit = require_seed(seed), require_time_limit(time_limit)
    boxes = [Box.around(row, radius, within) for row in rows]
    labels = first.logits(rows).argmax(axis=1) if len(rows) else ()
    verdicts = []
    deadline = Deadline(limit)
    second = DeepNetwork.of(pair.target)
    with stopped_by_interrupt(deadline):
        for place, (box, label) in enumerate(zip(boxes, labels, strict=True)):
            deep = DeepComparison(second, second, box)
            question = SameLabel(deep.difference, deep.region, int(label))
            share = deadline.within(deadline.remaining / (len(rows) - place))
            verdicts.append(_decided(deep, question, seed, share, report))
    return verdicts


def _decided(
    deep: DeepComparison, question: Question, seed: int, deadline: Deadline, report: Report
) -> LabelVerdict:
    if deep.overflows:
        # Bounds are no floats.
        return LabelVerdict(Agrees.UNKNOWN, None, "intervals", 0)
    if not question.look(deep.relaxed).open.any():
        return LabelVerdict(Agrees.AGREE, None, "relaxation", 1)
    generator = np.random.Generator(np.random.PCG64(seed))
    program = deep.difference.program
    witness = question.refuted_by(other_labels(program, deep.region, generator, deadline))
    if witness is not None:
        return LabelVerdict(Agrees.DIFFER, witness, "ascent", 0)
    halving = Halving(question)
    halving.run(deep.region, deadline, report)
    if halving.witness is not None:
        return LabelVerdict(Agrees.DIFFER, halving.witness, "boxes", halving.nodes)
    status = Agrees.AGREE if halving.holds else Agrees.UNKNOWN
    return LabelVerdict(status, None, "boxes", halving.nodes)


def _require_labels(network: DeepNetwork) -> None:
    if network.outputs < 2:
        raise InvalidInput(
            "network without labels",
            got="one output",
            expected="two or more outputs, of which the largest is the label",
            fix="Compare the values of single outputs with slth.certify.",
        )


def _require_delta(delta: object) -> float | None:
    if delta is None:
        return None
    number = require_number("delta", delta)
    if not 0.0 <= number < 1.0:
        raise InvalidInput(
            "delta out of range",
            got=repr(number),
            expected="a probability, 0 <= delta < 1",
            fix="Pass delta=0.9, or None for all points.",
        )
    return number
