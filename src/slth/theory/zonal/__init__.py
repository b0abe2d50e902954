"""Bounds by measures that are symmetric about the target (docs/theory/zonal.md)."""

from slth.theory.zonal.closed_form import universal_constant
from slth.theory.zonal.masks import weight_mask_width
from slth.theory.zonal.measure import Guess, ZonalMeasure, fitted
from slth.theory.zonal.profile import Profile, profile_of
from slth.theory.zonal.width import zonal_width

__all__ = [
    "Guess",
    "Profile",
    "ZonalMeasure",
    "fitted",
    "profile_of",
    "universal_constant",
    "weight_mask_width",
    "zonal_width",
]
