"""SVG files that follow the reader's colour scheme."""

from __future__ import annotations

import re

from slth.report.image import palette

_USED = ("paper", "ink", "muted", "rule", "grid", "neurons", "weights-linear", "weights-relu")


def following_the_scheme(svg: str, name: str) -> str:
    """The drawing with the page's variables in place of the light colours, a ground of its own, and
    identifiers that are the same in every run."""
    names = [f"--{used}" for used in (*_USED, "broken")]
    light, dark = palette(), palette("dark")
    for variable in names:
        red, green, blue = bytes.fromhex(light[variable][1:])
        svg = svg.replace(f"rgb({red}, {green}, {blue})", f"var({variable})")
    for k, found in enumerate(dict.fromkeys(re.findall(r'id="\w*?-?([0-9a-f]{6})', svg))):
        svg = svg.replace(found, f"{name}{k}")
    rules = [";".join(f"{v}:{colours[v]}" for v in names) for colours in (light, dark)]
    style = f":root{{{rules[0]}}}@media (prefers-color-scheme:dark){{:root{{{rules[1]}}}}}"
    ground = '<rect width="100%" height="100%" fill="var(--paper)"/>'
    opening, _, rest = svg.partition(">")
    return f"{opening}><style>{style}</style>{ground}{rest}\n"
