"""The largest width that is proven too small for neuron pruning, by whichever argument is best."""

from __future__ import annotations

import math
from dataclasses import replace

from slth.theory.covering import covering_width
from slth.theory.result import (
    PAPER,
    Statement,
    require_dimension,
    require_open_unit,
    require_radius,
)
from slth.theory.spectral import spectral_width
from slth.theory.zonal import zonal_width


def max_refuted_width(d: int, eps: float, radius: float = 2.0, delta: float = 0.05) -> Statement:
    """Theorem 1 with numbers: the largest proven N at which, with probability >= 1 - delta over
    the draw, every subset of N units errs by more than eps on the ball of that radius.

    The best of `covering_width` ((d/eps) log(1/eps); strongest for large eps), `zonal_width`
    ((c/(d eps))^(d-1)) and `spectral_width` (eps^(-2(d-1)/3), with larger constants in high d). The
    error refuted is eps itself: the constant C of the theorem's form is 1. The paper's own argument
    has a gap (see the audit).

    Args:
        d: input dimension, >= 2.
        eps: error to refute, 0 < eps < 1.
        radius: radius of the ball, >= 2.
        delta: allowed failure probability, 0 < delta < 1.

    Returns:
        The best Statement; its last assumption and `constants` say which argument it is, and what
        the others give (log10).

    Raises:
        InvalidInput: d < 2, radius < 2, eps or delta outside (0, 1).
    """
    d = require_dimension(d)
    eps = require_open_unit("eps", eps)
    radius = require_radius(radius)
    delta = require_open_unit("delta", delta)
    return best_refuted_width(d, eps, radius, delta)


def best_refuted_width(d: int, eps: float, radius: float, delta: float) -> Statement:
    """`max_refuted_width` for any eps, radius > 0 (only eps / radius matters)."""
    arguments = {
        "covering": covering_width(d, eps, radius, delta),
        "zonal": zonal_width(d, eps, radius, delta),
        "spectral": spectral_width(d, eps, radius, delta),
    }
    name = max(arguments, key=lambda each: arguments[each].value)
    best = arguments[name]
    return replace(
        best,
        name=f"Theorem 1, {best.name}",
        source=f"{best.source}; the claim is Theorem 1 of {PAPER}",
        constants={
            "C": 1.0,
            **{
                f"log10_{each}": math.log10(found.value)
                for each, found in arguments.items()
                if found.value > 0
            },
            **best.constants,
        },
    )
