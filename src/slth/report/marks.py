"""How each series and function is drawn: colour, dash and marker, so that no meaning hangs on
colour alone; axes and layout that all figures share; swatches for legends.

Colours are CSS variables (Okabe and Ito's set, lighter on dark ground) which the page's script
reads, so that figures follow the reader's scheme.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import plotly.graph_objects as go

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', sans-serif"


@dataclass(frozen=True)
class Mark:
    """Names known to Plotly: `dash`, `symbol` (marker), `hatch` (fill pattern or "")."""

    name: str
    dash: str
    symbol: str
    hatch: str

    @property
    def colour(self) -> str:
        """Full strength: lines and markers."""
        return f"var(--{self.name})"

    @property
    def faint(self) -> str:
        """Single draws, fitted laws, hatching."""
        return f"var(--{self.name}-faint)"

    @property
    def soft(self) -> str:
        """Areas."""
        return f"var(--{self.name}-soft)"


MARKS = {
    "neurons": Mark("neurons", "solid", "circle", "/"),
    "neurons-linear": Mark("neurons", "solid", "circle", "/"),
    "neurons-relu": Mark("broken", "dot", "triangle-up", ""),
    "weights-linear": Mark("weights-linear", "dash", "diamond", ""),
    "weights-relu": Mark("weights-relu", "dashdot", "square", ""),
    "target": Mark("ink", "solid", "x", ""),
    "network": Mark("muted", "dot", "cross", ""),
}

# Lengths of strokes and gaps in pixels, as Plotly draws these names at line width 2.
_DASHES = {"solid": "", "dash": "6 4", "dot": "2 3", "dashdot": "6 3 2 3"}
_SYMBOLS = {
    "circle": '<circle cx="17" cy="7" r="4"/>',
    "diamond": '<path d="M17 2l5 5-5 5-5-5z"/>',
    "square": '<rect x="13" y="3" width="8" height="8"/>',
    "triangle-up": '<path d="M17 2.5l5 8h-10z"/>',
    "triangle-down": '<path d="M17 11.5l5-8h-10z"/>',
    "cross": '<path d="M15 3h4v2.5h2.5v3h-2.5v2.5h-4v-2.5h-2.5v-3h2.5z"/>',
    "x": '<path d="M12 4l2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z"/>',
}


def axis(title: str, **options: object) -> dict[str, object]:
    """An axis in the house style; `options` go to Plotly."""
    return {
        "title": {"text": title, "standoff": 10, "font": {"size": 13}},
        "showline": True,
        "linecolor": "var(--rule)",
        "gridcolor": "var(--grid)",
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": "var(--rule)",
        "tickangle": 0,
        "automargin": True,
        **options,
    }


def layout(height: int, **options: object) -> go.Layout:
    """A layout in the house style; `options` go to Plotly."""
    house: dict[str, object] = {
        "template": go.layout.Template(),
        "height": height,
        "margin": {"l": 66, "r": 14, "t": 14, "b": 54},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": "var(--ink)"},
        "hoverlabel": {
            "bgcolor": "var(--paper)",
            "bordercolor": "var(--rule)",
            "font": {"family": FONT, "size": 12, "color": "var(--ink)"},
        },
        "hovermode": "closest",
        # Dragging scrolls the page; the buttons above a figure switch to zooming.
        "dragmode": False,
    }
    return go.Layout(**(house | options))


def width_axis(low: float, high: float) -> dict[str, object]:
    """A logarithmic axis of widths."""
    return axis(
        "width <i>N</i> (hidden units)",
        type="log",
        range=[math.log10(low), math.log10(high)],
        **_log_ticks(low, high),
    )


def _log_ticks(low: float, high: float) -> dict[str, object]:
    """Ticks of a logarithmic axis of widths at 1, 2, 5 in each decade, or at powers of ten
    where those would crowd."""
    steps = (1, 2, 5) if high / low < 3000 else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [step * 10**decade for decade in decades for step in steps if decade >= 0]
    return {"tickvals": values, "ticktext": [f"{value:,}" for value in values]}


def swatch(colour: str, dash: str = "solid", width: float = 2.0, symbol: str = "") -> str:
    """A piece of line, with a marker in its middle if `symbol` names one. Inline SVG."""
    dashes = f' stroke-dasharray="{_DASHES[dash]}"' if _DASHES[dash] else ""
    line = f'<path d="M1 7h32" stroke="{colour}" stroke-width="{width}"{dashes} fill="none"/>'
    marker = f'<g fill="{colour}">{_SYMBOLS[symbol]}</g>' if symbol else ""
    return _svg(line + marker)


def marker_swatch(colour: str, symbol: str, *, hollow: bool = False) -> str:
    """A marker alone. Inline SVG."""
    paint = f'fill="none" stroke="{colour}" stroke-width="1.5"' if hollow else f'fill="{colour}"'
    return _svg(f"<g {paint}>{_SYMBOLS[symbol]}</g>")


def area_swatch(mark: Mark) -> str:
    """A shaded field below an edge with a marker pointing down. Inline SVG."""
    strokes = "M4 14L14 4M14 14L24 4M24 14L34 4" if mark.hatch else ""
    dashes = f' stroke-dasharray="{_DASHES[mark.dash]}"' if _DASHES[mark.dash] else ""
    return _svg(
        f'<rect x="1" y="4" width="32" height="10" fill="{mark.soft}"/>'
        f'<path d="{strokes}" stroke="{mark.faint}" fill="none"/>'
        f'<path d="M1 4h32" stroke="{mark.colour}" stroke-width="1.3"{dashes}/>'
        f'<path d="M13 1h8l-4 7z" fill="{mark.colour}"/>'
    )


def bin_swatch(*, broken: bool) -> str:
    """A bin: hatched if broken. Inline SVG."""
    name = "broken" if broken else "neurons"
    colour, soft = f"var(--{name})", f"var(--{name}-soft)"
    strokes = f'<path d="M8 13L19 2M16 13L27 2" stroke="{colour}" fill="none"/>' if broken else ""
    return _svg(
        f'<rect x="8" y="2" width="18" height="11" fill="{soft}" stroke="{colour}"/>{strokes}'
    )


def _svg(inner: str) -> str:
    size = 'viewBox="0 0 34 14" width="34" height="14"'
    return f'<svg class="swatch" {size} aria-hidden="true">{inner}</svg>'
