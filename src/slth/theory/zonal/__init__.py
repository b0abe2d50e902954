"""Bounds by measures that are symmetric about the target (docs/theory/zonal.md)."""

from slth.theory.zonal.closed_form import universal_constant
from slth.theory.zonal.masks import weight_mask_width
from slth.theory.zonal.measure import ZonalMeasure
from slth.theory.zonal.width import zonal_width

__all__ = ["ZonalMeasure", "universal_constant", "weight_mask_width", "zonal_width"]
