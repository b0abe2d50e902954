"""Log-log line charts as SVG text, in the page's colours, without a browser."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

from docs.theory.draw.chart import Curve
from slth.report.image import palette

_WIDTH, _HEIGHT = 700, 380
# Room for the labels of the axes and, at the right, of the curves.
_LEFT, _RIGHT, _TOP, _BOTTOM = 72, 170, 16, 52
# Least distance between two labels of curves, so that they do not overlap.
_APART = 15.0


def log_lines(x_title: str, y_title: str, curves: Sequence[Curve]) -> str:
    """The curves on logarithmic axes, each labelled at its right end; values <= 0 are left out."""
    colours = palette()

    def paint(name: str) -> str:
        red, green, blue = bytes.fromhex(colours[f"--{name}"][1:])
        return f"rgb({red}, {green}, {blue})"

    points = [_logs(curve) for curve in curves]
    everything = np.concatenate(points)
    (x0, y0), (x1, y1) = everything.min(axis=0), everything.max(axis=0)
    y0, y1 = math.floor(y0), math.ceil(y1)

    def at(p: np.ndarray) -> tuple[float, float]:
        across = (p[0] - x0) / (x1 - x0) * (_WIDTH - _LEFT - _RIGHT)
        up = (p[1] - y0) / (y1 - y0) * (_HEIGHT - _TOP - _BOTTOM)
        return _LEFT + across, _HEIGHT - _BOTTOM - up

    parts = []
    for k in range(math.ceil(x0 - 1e-9), math.floor(x1 + 1e-9) + 1):
        x, _ = at(np.array([k, y0]))
        parts.append(_line(x, _TOP, x, _HEIGHT - _BOTTOM, paint("grid")))
        parts.append(_text(x, _HEIGHT - _BOTTOM + 18, _power(k), paint("muted"), "middle"))
    step = max(1, math.ceil((y1 - y0) / 7))
    for k in range(y0, y1 + 1, step):
        _, y = at(np.array([x0, k]))
        parts.append(_line(_LEFT, y, _WIDTH - _RIGHT, y, paint("grid")))
        parts.append(_text(_LEFT - 8, y + 4, _power(k), paint("muted"), "end"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(_text(middle, _HEIGHT - 12, html.escape(x_title), paint("ink"), "middle"))
    turned = f'transform="rotate(-90 16 {_HEIGHT / 2})"'
    parts.append(
        _text(16, _HEIGHT / 2, html.escape(y_title), paint("ink"), "middle").replace(
            "<text", f"<text {turned}", 1
        )
    )
    labels = []
    for curve, logs in zip(curves, points, strict=True):
        colour = paint(curve.colour)
        dash = ' stroke-dasharray="2 4"' if curve.dash == "dot" else ""
        dash = ' stroke-dasharray="7 4"' if curve.dash == "dash" else dash
        drawn = [at(p) for p in logs]
        route = " ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)
        parts.append(
            f'<polyline points="{route}" style="fill:none;stroke:{colour}" '
            f'stroke-width="{curve.width}"{dash}/>'
        )
        if curve.name:
            labels.append((drawn[-1][1], curve.name, colour))
    last = -math.inf
    for y, name, colour in sorted(labels):
        last = max(y, last + _APART)
        parts.append(_text(_WIDTH - _RIGHT + 8, last + 4, html.escape(name), colour, "start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="system-ui, sans-serif" font-size="13">'
        + "".join(parts)
        + "</svg>"
    )


def _logs(curve: Curve) -> np.ndarray:
    pairs = zip(np.asarray(curve.x, float), curve.y, strict=True)  # pyright: ignore[reportArgumentType]
    return np.array([(math.log10(x), math.log10(y)) for x, y in pairs if y and y > 0])


def _line(x0: float, y0: float, x1: float, y1: float, colour: str) -> str:
    return (
        f'<line x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}" style="stroke:{colour}"/>'
    )


def _text(x: float, y: float, text: str, colour: str, side: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{side}" style="fill:{colour}">{text}</text>'


def _power(k: int) -> str:
    return f'10<tspan dy="-5" font-size="10">{k}</tspan>'
