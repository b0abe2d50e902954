"""Networks of the ecosystem in and out, exactly: files, and objects of other libraries.

Optional libraries are imported inside their door.
"""

from slth.doors.convert import as_network
from slth.doors.files import read_network, write_network
from slth.doors.sklearn import to_sklearn
from slth.doors.torch import apply_masks, to_torch

__all__ = [
    "apply_masks",
    "as_network",
    "read_network",
    "to_sklearn",
    "to_torch",
    "write_network",
]
