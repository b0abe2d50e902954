"""A one-hidden-layer network as a drawing: inputs, hidden units, output. Inline SVG."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from slth.network import ReLUNetwork

_WIDTH = 260
_LEFT, _MIDDLE, _RIGHT = 26, 128, 230
# Nodes of one layer are at most this far apart, and a layer at most this tall.
_STEP, _TALLEST = 46.0, 190.0
# Room above and below the outermost nodes, for labels.
_MARGIN = 26.0
# Inputs drawn before the rest become dots.
_MOST_INPUTS = 4


def network_diagram(
    net: ReLUNetwork, kept: NDArray[np.bool_], *, output: str, label: str, caption: str
) -> str:
    """The drawing. Stroke widths show |weight|, solid positive, dashed negative; output weights
    are written at the units; units not kept are pale. kept: bool [width]."""
    inputs, units = _places(min(net.d, _MOST_INPUTS)), _places(net.width)
    half = max(inputs[-1], units[-1]) + _MARGIN
    edges, nodes = [], []
    heaviest = max(1e-300, float(np.abs(net.hidden).max()), float(np.abs(net.output).max()))
    for unit, y in enumerate(units):
        state = "" if kept[unit] else " dropped"
        for place, x_y in enumerate(inputs):
            coordinate = _coordinate(place, net.d)
            if coordinate is not None:
                edges.append(
                    _edge(_LEFT, x_y, _MIDDLE, y, net.hidden[unit, coordinate], heaviest, state)
                )
        edges.append(_edge(_MIDDLE, y, _RIGHT, 0.0, net.output[unit], heaviest, state))
        nodes.append(f'<circle class="node{state}" cx="{_MIDDLE}" cy="{y:.1f}" r="8"/>')
        nodes.append(f'<path class="relu{state}" d="M{_MIDDLE - 4} {y + 2:.1f}h4l4-5"/>')
        weight = f"{net.output[unit]:+.2f}".replace("-", "−")
        label_y = y - 13 if y <= 0 else y + 21
        nodes.append(f'<text class="weight{state}" x="{_MIDDLE}" y="{label_y:.1f}">{weight}</text>')
    for place, y in enumerate(inputs):
        coordinate = _coordinate(place, net.d)
        if coordinate is None:
            nodes.append(f'<text class="name" x="{_LEFT}" y="{y + 4:.1f}">⋮</text>')
            continue
        nodes.append(f'<circle class="node" cx="{_LEFT}" cy="{y:.1f}" r="11"/>')
        nodes.append(
            f'<text class="name" x="{_LEFT}" y="{y + 4:.1f}"><tspan class="var">x</tspan>'
            f'<tspan class="sub" dy="3">{coordinate + 1}</tspan></text>'
        )
    nodes.append(f'<circle class="node" cx="{_RIGHT}" cy="0" r="11"/>')
    mark = (
        f'<path class="relu" d="M{_RIGHT - 5} 3h5l5-6"/>'
        if net.readout == "relu"
        else f'<text class="name" x="{_RIGHT}" y="4">Σ</text>'
    )
    return (
        f'<div class="network"><svg viewBox="0 {-half} {_WIDTH} {2 * half}" role="img" '
        f'aria-label="{escape(label, quote=True)}">'
        f"<g>{''.join(edges)}</g>{''.join(nodes)}{mark}"
        f"</svg><p><b>{output}</b> {caption}</p></div>"
    )


def _places(count: int) -> list[float]:
    """Heights of `count` nodes about 0, downwards."""
    step = min(_STEP, _TALLEST / max(1, count - 1))
    return [step * (k - (count - 1) / 2) for k in range(count)]


def _coordinate(place: int, d: int) -> int | None:
    """Which coordinate the node at `place` shows; None: the dots that stand for the rest."""
    if d <= _MOST_INPUTS:
        return place
    return {_MOST_INPUTS - 1: d - 1, _MOST_INPUTS - 2: None}.get(place, place)


def _edge(
    x1: float, y1: float, x2: float, y2: float, weight: float, heaviest: float, state: str
) -> str:
    sign = "positive" if weight >= 0 else "negative"
    width = 0.6 + 3.0 * abs(float(weight)) / heaviest
    return (
        f'<line class="{sign}{state}" x1="{x1}" y1="{y1:.1f}" x2="{x2}" y2="{y2:.1f}" '
        f'stroke-width="{width:.2f}"/>'
    )
