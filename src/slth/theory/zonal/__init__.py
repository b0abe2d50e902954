"""Bounds by measures that are symmetric about the target (docs/theory/zonal.md)."""

from slth.theory.zonal.closed_form import universal_constant
from slth.theory.zonal.measure import ZonalMeasure
from slth.theory.zonal.width import zonal_width

__all__ = ["ZonalMeasure", "universal_constant", "zonal_width"]
