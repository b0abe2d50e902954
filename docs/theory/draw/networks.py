"""Pictures of one draw: the network (Fig. 1), a broken bin, the processes (Fig. 2), alignment
(Fig. 3)."""

from __future__ import annotations

import re

import numpy as np
import plotly.graph_objects as go

import slth
from docs.theory.draw.chart import Curve, chart
from slth import theory
from slth.report import figures
from slth.report.network_diagram import network_diagram
from slth.report.style import STYLE

_EPS = 0.08


def _ticket() -> tuple[slth.ReLUNetwork, slth.ReLUNetwork, slth.Mask]:
    """The optimal ticket of 60 units in the plane."""
    net = slth.random_network(d=2, width=60, seed=1)
    target = slth.neuron([0.6, 0.8])
    return net, target, slth.prune_neurons(net, target, eps=_EPS, seed=0).mask


def diagrams() -> str:
    """Figure 1: target, random network of 5 units, the best of its subsets. One SVG."""
    net = slth.random_network(d=3, width=5, seed=7)
    target = slth.neuron([1.0, 2.0, 2.0], normalize=True)
    keep = slth.prune_neurons(net, target, seed=0).mask.output
    drawings = (
        (target, np.ones(1, dtype=bool), "target f"),
        (net, np.ones(5, dtype=bool), "random network g, N = 5"),
        (net, keep, f"pruned network g_S, {int(keep.sum())} units kept"),
    )
    parts = []
    for k, (drawn, kept, name) in enumerate(drawings):
        html = network_diagram(drawn, kept, output="", label=name, caption="")
        inner = html[html.index("<g>") : html.index("</svg>")]
        parts.append(f'<g class="network" transform="translate({280 * k} 140)">{inner}</g>')
        parts.append(f'<text class="caption" x="{280 * k + 128}" y="282">{name}</text>')
    rules = re.findall(r"^\.network (?!svg|p )[^{]*\{[^}]*\}", STYLE, re.MULTILINE)
    rules += [
        ":root { --sans: system-ui, sans-serif; --serif: Georgia, serif; }",
        ".caption { fill: var(--muted); font: 14px var(--sans); text-anchor: middle; }",
    ]
    size = 'width="820" height="300" viewBox="0 0 820 300"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return f"{head}<style>{' '.join(rules)}</style>{''.join(parts)}</svg>"


def families() -> go.Figure:
    """Figure 3: breakpoints of a ticket along x_1(t) line up with the target's."""
    return figures.breakpoint_alignment(*_ticket(), _EPS)


def processes() -> go.Figure:
    """Figure 2: two stacked state lines, d = 4, of a ticket planted among 60 random units: 18 pairs
    that nearly cancel and three units near w*, in random order."""
    rng = np.random.default_rng(4)
    random = slth.random_network(d=4, width=60, seed=4)
    target = slth.neuron([0.69, 0.15, 0.69, 0.15], normalize=True)
    hidden, output = rng.standard_normal((18, 4)), rng.standard_normal(18)
    shift = 1e-4 * rng.standard_normal((21, 4))
    hidden = np.vstack(
        [np.repeat(target.hidden, 3, axis=0) + shift[:3], hidden, hidden + shift[3:]]
    )
    output = np.r_[0.5, 0.9, -0.4, output, -output]
    # Turning each unit back onto w* or onto its partner changes it by at most |a| |shift|.
    error = float(np.abs(output[:21]) @ np.linalg.norm(shift, axis=1))
    order = rng.permutation(39)
    net = slth.ReLUNetwork(
        np.vstack([random.hidden, hidden[order]]), np.r_[random.output, output[order]]
    )
    mask = slth.Mask.of_units(np.arange(99) >= 60, 4)
    return figures.state_lines(net, target, mask, 1.01 * error)


def broken_bin() -> go.Figure:
    """A bin with four kinks: best affine fit, the three points that prove its error."""
    t = np.array([0.0, 0.13, 0.34, 0.51, 0.73, 1.0])
    h = np.interp(t, t, np.cumsum(np.r_[0.0, np.diff(t) * [1.6, 0.4, -1.1, 0.7, 0.2]]))
    fit = theory.affine_fit(t, h)
    one, two, three = (np.interp(point, t, h) for point in fit.points)
    first, middle, last = fit.points
    chord = one + (three - one) / (last - first) * (t - first)
    opposite = np.interp(middle, [first, last], [one, three])
    best = chord + 0.5 * (two - opposite)
    curves = [
        Curve("h", t, h, "neurons", width=2.6),
        Curve("best affine fit", t, best, "ink", "dash", width=1.6),
        Curve("fit ± its error", t, best + fit.error, "muted", "dot", width=1.2),
        Curve("", t, best - fit.error, "muted", "dot", width=1.2),
        Curve("gap = 2 × error", [middle] * 2, [two, opposite], "weights-relu", width=2.6),
        Curve(
            "three points", fit.points, [one, two, three], "broken", symbol="diamond", line=False
        ),
    ]
    return chart("<i>t</i> in one bin", "<i>h</i> = <i>g<sub>S</sub></i> − <i>f</i>", curves)
