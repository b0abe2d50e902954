"""Pictures of laws: the chain, Lemma 3, Lemmas 8 and 9, Lemma 10, random subset sums."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from docs.theory.draw.chart import LOG, Curve, chart
from slth import theory

_LOG10 = math.log(10.0)


def chain() -> go.Figure:
    """Exact Pr(B_k = 0), the spectral bound and the paper's Chernoff bound."""
    law = theory.Chain(0.1, 0.3, 60)
    steps = np.unique(np.geomspace(1, 4000, 90).astype(int))
    exact = [theory.log_at_zero(law, int(k)) / _LOG10 for k in steps]
    ours = [theory.lemma7(law, int(k)) / _LOG10 for k in steps]
    chernoff = [theory.chernoff_lemma7(law, int(k)) / _LOG10 for k in steps]
    return chart(
        "steps <i>k</i> (units selected)",
        "log<sub>10</sub> Pr(<i>B<sub>k</sub></i> = 0)",
        [
            Curve("exact", steps, exact, "neurons", width=3.0),
            Curve("π(0) + κ λ<sup>k</sup> (proven)", steps, ours, "ink", "dash"),
            Curve("Chernoff, as in the paper’s proof", steps, chernoff, "weights-relu", "dashdot"),
        ],
        x=LOG,
    )


def lemma_3() -> go.Figure:
    """Joint probability that two families are unbroken over the product, k = 1..6."""
    units, ratios, errors = range(1, 7), [], []
    rng = np.random.default_rng(0)
    bins, families, draws = theory.make_bins(2.0, 1.7), 100, 3_000
    target = np.full(2 * families, 0.5)
    for k in units:
        unbroken = np.empty(draws)
        for draw in range(draws):
            hidden, output = rng.standard_normal((k, 2 * families)), rng.standard_normal(k)
            broken = theory.broken_bins(hidden, output, target, bins, 0.06)
            unbroken[draw] = np.count_nonzero(broken == 0)
        # Pairs of different families of one network share its output weights, as in Lemma 3.
        joint = unbroken * (unbroken - 1.0) / (families * (families - 1.0))
        parts = np.array_split(np.arange(draws), 30)
        product = (unbroken.mean() / families) ** 2
        ratios.append(joint.mean() / product)
        errors.append(float(np.std([joint[part].mean() for part in parts])) / product / 30**0.5)
    figure = chart(
        "units <i>k</i>",
        "Pr(both unbroken) / product",
        [
            Curve("joint / product", list(units), ratios, "neurons", symbol="circle", line=False),
            Curve("Lemma 3", [0.5, 6.5], [1.0, 1.0], "weights-relu", "dashdot"),
        ],
        x={"range": [0.5, 6.5], "dtick": 1},
        y={"rangemode": "tozero"},
    )
    figure.data[0].error_y = {"type": "data", "array": np.multiply(2, errors), "thickness": 1.4}
    return figure


def lemma_8() -> go.Figure:
    """The terms of the union bound, Lemma 8 granted, at the largest N and at twice it."""
    d, eps = 200, 0.0005
    bound = theory.route_width(d, eps, 2.0, 0.05)
    spelled = bound.constants
    chosen = theory.constants(
        eps,
        2.0,
        gamma=spelled["gamma"],
        margin=spelled["margin"],
        share=(spelled["T"] + 0.5) / spelled["bins"],
    )
    curves = []
    marks = (("neurons", "solid"), ("weights-relu", "dashdot"))
    for width, (colour, dash) in zip((int(bound.value), 2 * int(bound.value)), marks, strict=True):
        k = np.unique(np.geomspace(1, width, 160).astype(int))
        pruned = np.array([theory.lemma8(d, int(size), chosen).value for size in k])
        log_choices = [
            math.lgamma(width + 1) - math.lgamma(size + 1) - math.lgamma(width - size + 1)
            for size in k.tolist()
        ]
        terms = (np.array(log_choices) + pruned) / _LOG10
        curves.append(Curve(f"N = {width:,}", k, terms, colour, dash))
    curves.append(Curve("δ = 0.05", [1, 2 * bound.value], [math.log10(0.05)] * 2, "ink", "dot"))
    return chart(
        "subset size <i>k</i>",
        "log<sub>10</sub> C(<i>N</i>, <i>k</i>) <i>p<sub>k</sub></i>",
        curves,
        x=LOG,
    )


def lemma_10() -> go.Figure:
    """The exact cap law against a million directions in each dimension."""
    rng = np.random.default_rng(0)
    eps = np.geomspace(0.01, 0.95, 60)
    curves = []
    marks = (
        ("neurons", "circle"),
        ("weights-linear", "diamond"),
        ("weights-relu", "square"),
        ("broken", "x"),
    )
    for d, (colour, symbol) in zip((2, 3, 5, 10), marks, strict=True):
        exact = [theory.cap_probability(d, value) for value in eps.tolist()]
        directions = rng.standard_normal((1_000_000, d))
        cosine = directions[:, 0] / np.linalg.norm(directions, axis=1)
        sine = np.sqrt(1.0 - cosine[cosine > 0.0] ** 2)
        few = eps[::6]
        hits = np.array([np.count_nonzero(sine <= value) for value in few])
        seen = hits >= 10
        curves.append(Curve(f"d = {d}", eps, exact, colour, width=1.8))
        curves.append(Curve("", few[seen], hits[seen] / 1e6, colour, symbol=symbol, line=False))
    return chart(
        "error <i>ε</i>",
        "Pr(one unit comes within <i>ε</i>)",
        curves,
        x={"type": "log", "tickvals": [0.01, 0.03, 0.1, 0.3, 1.0], "range": [-2.05, 0.0]},
        y=LOG | {"range": [-7.0, 0.1]},
    )


def subset_sum() -> go.Figure:
    """Samples against bits: counting, enumerated subset sums, the proven width."""
    rng = np.random.default_rng(0)
    bits = np.arange(1, 17)
    sizes = range(4, 21)
    reached = {
        n: [_worst_gap(rng.standard_normal((2, n)).prod(0)) for _ in range(11)] for n in sizes
    }
    medians = [-math.log2(float(np.median(reached[n]))) for n in sizes]
    proven = [
        theory.subset_sum_width(2.0**-bit, 0.5, samples="product", reach=1.0).value
        for bit in bits.tolist()
    ]
    counted = [theory.subset_sum_needed(2.0**-bit, reach=1.0).value for bit in bits.tolist()]
    shown = [k for k, bit in enumerate(medians) if bit > 0.5]
    return chart(
        "log<sub>2</sub>(1/<i>ε</i>)",
        "samples <i>n</i>",
        [
            Curve("suffices (proven)", bits, proven, "ink", "dash"),
            Curve(
                "all subset sums enumerated, median of 11 draws",
                [medians[k] for k in shown],
                [sizes[k] for k in shown],
                "weights-relu",
                symbol="square",
            ),
            Curve("needed (counting)", bits, counted, "muted", "dot"),
        ],
        y={"type": "log", "dtick": "D2"},
    )


def _worst_gap(samples: np.ndarray) -> float:
    """The least eps at which every target in [-1, 1] is within eps of a subset sum."""
    sums = np.zeros(1)
    for sample in samples:
        sums = np.concatenate([sums, sums + sample])
    inside = np.sort(sums[np.abs(sums) <= 1.0])
    below, above = sums[sums < -1.0].max(initial=-np.inf), sums[sums > 1.0].min(initial=np.inf)
    ends = (min(inside[0] + 1.0, math.inf), min(1.0 - inside[-1], math.inf))
    gaps = [float(np.diff(inside).max(initial=0.0)) / 2.0]
    for gap, outer in zip(ends, (-1.0 - below, above - 1.0), strict=True):
        # Targets between the end of [-1, 1] and the nearest sum may use a sum outside.
        gaps.append(min(gap, max(gap + outer, 0.0) / 2.0) if outer < gap else gap)
    return max(gaps)
