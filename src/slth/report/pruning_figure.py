"""The paper's Figure 1 from draw 0: a target neuron, a random network of 5 units, a pruned one."""

from __future__ import annotations

import itertools

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from slth.lab.cell import target_of
from slth.lab.rows import GapRun
from slth.network import FloatArray, Mask, ReLUNetwork, random_network
from slth.report.marks import MARKS, axis, layout, swatch
from slth.report.network_diagram import network_diagram
from slth.report.panel import LegendEntry, Panel, Table
from slth.report.wording import number

_UNITS = 5
_HEIGHT = 320
# Two samples a degree; every figure of this panel is sampled, none certified.
_SAMPLES = 721


def pruning_panel(run: GapRun) -> Panel:
    """Three networks as drawings and as functions on a great circle through w*."""
    plan = run.plan
    net = random_network(plan.d, _UNITS, plan.seed, plan.readout)
    target = target_of(plan, 0)
    place, points = _path(target)
    wanted, whole = target(points), net(points)
    keep = best_subset(net, points, wanted)
    pruned = net.masked(Mask.of_units(keep, plan.d))(points)
    error, before = float(np.abs(pruned - wanted).max()), float(np.abs(whole - wanted).max())
    names = ", ".join(str(unit + 1) for unit in np.flatnonzero(keep))
    full = np.ones(_UNITS, dtype=bool)
    along = {1: "the interval", 2: "the circle"}.get(
        plan.d, "a great circle through <i>w</i>* (unit sphere)"
    )
    diagrams = (
        network_diagram(
            target,
            np.ones(1, dtype=bool),
            output="<i>f</i>",
            label=f"The target neuron: {plan.d} inputs, one hidden unit, output weight 1.",
            caption="target neuron",
        ),
        network_diagram(
            net,
            full,
            output="<i>g</i>",
            label=f"The random network: {plan.d} inputs, {_UNITS} hidden units, one output.",
            caption=f"random, <i>N</i> = {_UNITS}",
        ),
        network_diagram(
            net,
            keep,
            output="<i>g<sub>S</sub></i>",
            label=f"The pruned network: units {names} kept, the others dropped.",
            caption=f"units kept: {names}",
        ),
    )
    return Panel(
        name="pruning",
        title="A target, a random network, a pruned network <small>(the paper’s Fig. 1)</small>",
        label=(
            "Plot of the three functions against the angle from w*. The best of the nonempty "
            f"subsets of the five units keeps units {names}; sampled error {number(error)}, "
            f"before pruning {number(before)}."
        ),
        caption=(
            f"Draw 0, its first {_UNITS} units. Solid edges are positive weights, dashed edges "
            "negative ones, thickness is magnitude; the numbers are output weights. Below, the "
            f"three as functions along {along}. <i>S</i> is the best of the {2**_UNITS - 1} "
            "nonempty subsets, by brute force. Largest sampled "
            f"|<i>g<sub>S</sub></i> − <i>f</i>| on this curve: {number(error)} (before pruning "
            f"{number(before)}). An illustration: sampled at {_SAMPLES} points, not certified."
        ),
        height=_HEIGHT,
        figure=functions_figure(net, target, Mask.of_units(keep, plan.d)),
        table=Table.of(
            ("angle from w* (degrees)" if plan.d > 1 else "x / w*", "f", "g (N = 5)", "g_S"),
            np.stack([place, wanted, whole, pruned], axis=1)[::8].tolist(),
        ),
        legend=(
            LegendEntry(swatch("var(--ink)"), "target <i>f</i>"),
            LegendEntry(swatch("var(--muted)", "dot"), f"random <i>g</i>, <i>N</i> = {_UNITS}"),
            LegendEntry(swatch("var(--neurons)", "dash", 2.5), "pruned <i>g<sub>S</sub></i>"),
        ),
        diagram=f'<div class="networks">{"".join(diagrams)}</div>',
    )


def functions_figure(net: ReLUNetwork, target: ReLUNetwork, mask: Mask) -> go.Figure:
    """Target, network and pruned network along a great circle through w*."""
    place, points = _path(target)
    figure = go.Figure(layout=_layout(net.d))
    for uid, values, name, mark, width in (
        ("random-network", net(points), "g", MARKS["network"], 2.0),
        ("target", target(points), "f", MARKS["target"], 2.0),
        ("pruned-network", net.masked(mask)(points), "g_S", MARKS["neurons"], 2.5),
    ):
        figure.add_scatter(
            uid=uid,
            name=name,
            x=place,
            y=values,
            mode="lines",
            line={"color": mark.colour, "width": width, "dash": _DASH[uid]},
            hovertemplate=f"{name}: %{{y:.3f}}<extra></extra>",
        )
    return figure


_DASH = {"random-network": "dot", "target": "solid", "pruned-network": "dash"}


def best_subset(net: ReLUNetwork, points: FloatArray, wanted: FloatArray) -> NDArray[np.bool_]:
    """The nonempty unit subset with the smallest sampled error, by brute force. bool [width].

    Args:
        points: float64 [samples, d].
        wanted: float64 [samples].
    """
    parts = np.maximum(points @ net.hidden.T, 0.0) * net.output
    masks = [np.array(m) for m in itertools.product([True, False], repeat=net.width) if any(m)]
    values = (parts @ mask for mask in masks)
    if net.readout == "relu":
        values = (np.maximum(value, 0.0) for value in values)
    errors = [float(np.abs(value - wanted).max()) for value in values]
    return masks[int(np.argmin(errors))]


def _path(target: ReLUNetwork) -> tuple[FloatArray, FloatArray]:
    """Angles from w* in degrees and the points cos w* + sin u, u a unit vector orthogonal to w*;
    in d = 1 the interval [-1, 1]. [samples] and [samples, d]."""
    w = target.hidden[0]
    if target.d == 1:
        place = np.linspace(-1.0, 1.0, _SAMPLES)
        return place, place[:, None] * w
    u = -w * w[0]
    u[0] += 1.0
    if abs(w[0]) > 0.9:
        u = -w * w[1]
        u[1] += 1.0
    u /= np.linalg.norm(u)
    place = np.linspace(-180.0, 180.0, _SAMPLES)
    angle = np.radians(place)
    return place, np.cos(angle)[:, None] * w + np.sin(angle)[:, None] * u


def _layout(d: int) -> go.Layout:
    along = (
        axis("angle from <i>w</i>* (degrees)", dtick=45)
        if d > 1
        else axis("input <i>x</i> (in units of <i>w</i>*)")
    )
    return layout(
        _HEIGHT,
        xaxis=along | {"range": [-180, 180] if d > 1 else [-1, 1]},
        yaxis=axis("output (unit radius)"),
        hovermode="x",
    )
