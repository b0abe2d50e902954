"""What is known of the width that each pruning needs: one row a statement, as
docs/theory/known.md prints them. The numbers are those of the functions named; `plan` evaluates
them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """PROVED in the source named; SKETCHED: an argument not written out; MEASURED on random draws;
    OPEN."""

    PROVED = "proved"
    SKETCHED = "sketched"
    MEASURED = "measured"
    OPEN = "open"


@dataclass(frozen=True)
class KnownWidth:
    """One statement about the width N for a uniform error eps on the unit ball, target of norm 1.

    Attributes:
        task: which pruning and readout.
        says: whether it needs or makes do with the width, and where.
        width: the law in plain characters; "" where nothing is known.
        formula: the same, typeset.
        standing: see Standing. remark: on what it rests.
        page: of docs/theory with the proof; "" if there is none. source: where else it stands.
        functions: of `slth.theory`, with constants, or the ticket.
    """

    task: str
    says: str
    width: str
    formula: str
    standing: Standing
    remark: str = ""
    page: str = ""
    source: str = ""
    functions: tuple[str, ...] = ()

    def as_row(self) -> dict[str, object]:
        """The fields as plain JSON values."""
        return {
            "task": self.task,
            "says": self.says,
            "width": self.width,
            "standing": str(self.standing),
            "remark": self.remark,
            "page": self.page,
            "source": self.source,
            "functions": list(self.functions),
        }


_LINEAR = "Neuron pruning, linear readout"
_RELU = "Neuron pruning, ReLU readout"
_ONE = "One unit"
_WEIGHTS = "Weight pruning"

_KNOWN = (
    KnownWidth(
        _LINEAR,
        "needs, eps < c/d",
        "p (c/(d eps))^(d-1), probability 1 - p",
        r"$p\,(c/(d\varepsilon))^{d-1}$ with probability 1 - p",
        Standing.PROVED,
        page="zonal",
        functions=("zonal_width",),
    ),
    KnownWidth(
        _LINEAR,
        "needs, eps > c/d",
        "p e^(c/eps)",
        r"$p\,e^{c/\varepsilon}$",
        Standing.PROVED,
        remark="best subspace",
        page="zonal",
        functions=("zonal_width",),
    ),
    KnownWidth(
        _LINEAR,
        "needs, large eps",
        "(d/eps) log(1/eps)",
        r"$(d/\varepsilon)\log(1/\varepsilon)$",
        Standing.PROVED,
        page="covering",
        functions=("covering_width",),
    ),
    KnownWidth(
        _LINEAR,
        "needs, output weights refitted",
        "eps^(-2(d-1)/3)",
        r"$\varepsilon^{-2(d-1)/3}$",
        Standing.PROVED,
        page="spectral",
        functions=("spectral_width",),
    ),
    KnownWidth(
        _LINEAR,
        "suffices, eps -> 0",
        "(C/eps)^(d-1) log(1/eps), up to logarithms",
        r"$(C/\varepsilon)^{d-1}\log(1/\varepsilon)$ up to logarithms",
        Standing.PROVED,
        page="cluster",
        functions=("neuron_pruning_sufficient_width",),
    ),
    KnownWidth(
        _LINEAR,
        "suffices, fixed eps > .0174",
        "O(d^2)",
        "$O(d^2)$",
        Standing.PROVED,
        page="weighted-units",
        functions=(
            "weighted_units_width",
            "weighted_units",
        ),
    ),
    KnownWidth(
        _LINEAR,
        "suffices, any fixed eps",
        "d^2 e^(C/eps)",
        r"$d^2e^{C/\varepsilon}$",
        Standing.SKETCHED,
        remark="polynomials of degree .14/eps in the same proof",
        page="weighted-units",
        functions=(
            "weighted_units_width",
            "weighted_units",
        ),
    ),
    KnownWidth(
        _LINEAR,
        "suffices, eps > 1/16",
        "(2.7 sqrt d/(eps - 1/16))^4",
        r"$(2.7\sqrt d/(\varepsilon-1/16))^4$",
        Standing.MEASURED,
        remark="d = 3 to 40",
        page="weighted-units",
        functions=(
            "weighted_units_width",
            "weighted_units",
        ),
    ),
    KnownWidth(
        _LINEAR,
        "between e^(c/eps) and d^2 e^(C/eps)",
        "",
        "",
        Standing.OPEN,
    ),
    KnownWidth(
        _RELU,
        "needs",
        "(d-1) log2(1/(2 eps)) - log2(1/p)",
        r"$(d-1)\log_2(1/2\varepsilon)-\log_2(1/p)$",
        Standing.PROVED,
        source="counting",
        functions=("counting_width",),
    ),
    KnownWidth(
        _RELU,
        "suffices",
        "O(d^2 eps^-4)",
        r"$O(d^2\varepsilon^{-4})$",
        Standing.PROVED,
        page="small-units",
        functions=(
            "small_units_width",
            "small_units",
        ),
    ),
    KnownWidth(
        _RELU,
        "suffices",
        "(C m sqrt d/eps)^(d/2), m = O(d log(d/eps)), pairs near opposite",
        r"$(Cm\sqrt d/\varepsilon)^{d/2}$, $m=O(d\log(d/\varepsilon))$, pairs near opposite",
        Standing.SKETCHED,
        source="multidimensional subset sums (2207.13944)",
    ),
    KnownWidth(
        _RELU,
        "anything polynomial in 1/eps from below",
        "",
        "",
        Standing.OPEN,
        source="zonal measures prove 0 here",
    ),
    KnownWidth(
        _ONE,
        "as drawn, needs and suffices",
        "(C/eps)^d",
        r"$(C/\varepsilon)^d$",
        Standing.PROVED,
        page="lemma-10",
        functions=(
            "drawn_unit_refuted_width",
            "single_unit_sufficient_width",
        ),
    ),
    KnownWidth(
        _ONE,
        "output weight refitted",
        "(C/eps)^(d-1), exact law",
        r"$(C/\varepsilon)^{d-1}$, exact law",
        Standing.PROVED,
        page="lemma-10",
        functions=("single_unit_refuted_width",),
    ),
    KnownWidth(
        _WEIGHTS,
        "linear readout, dense w*, needs",
        "(c/eps)^(d-1), eps -> 0",
        r"$(c/\varepsilon)^{d-1}$, eps → 0",
        Standing.PROVED,
        page="masks",
        functions=("weight_mask_width",),
    ),
    KnownWidth(
        _WEIGHTS,
        "linear readout, k nonzeros, needs",
        "k in place of d",
        "k in place of d",
        Standing.PROVED,
        page="masks",
        functions=("weight_mask_width",),
    ),
    KnownWidth(
        _WEIGHTS,
        "linear readout, w* on an axis, suffices",
        "O(log(1/eps))",
        r"$O(\log(1/\varepsilon))$",
        Standing.PROVED,
        page="subset-sum",
        functions=("axis_mask_width",),
    ),
    KnownWidth(
        _WEIGHTS,
        "ReLU readout, suffices",
        "O(d log(d/eps))",
        r"$O(d\log(d/\varepsilon))$",
        Standing.PROVED,
        source="Malach, Orseau, Pensia et al.",
        functions=("weight_pruning_width",),
    ),
    KnownWidth(
        _WEIGHTS,
        "ReLU readout, mean least width",
        "6 + 2.2 d log2(sqrt d/eps)/log2(d+1)",
        r"$6+2.2\,d\log_2(\sqrt d/\varepsilon)/\log_2(d+1)$",
        Standing.MEASURED,
        page="subset-sum",
    ),
    KnownWidth(
        _WEIGHTS,
        "either readout, needs",
        "((d-1) log2(1/(2 eps)) - log2(1/p))/d, uniform target",
        r"$((d-1)\log_2(1/2\varepsilon)-\log_2(1/p))/d$, uniform target",
        Standing.PROVED,
        source="counting",
        functions=("counting_width",),
    ),
)


def what_is_known() -> tuple[KnownWidth, ...]:
    """Every statement, in the order of docs/theory/known.md."""
    return _KNOWN
