"""Networks of the ecosystem in and out, exactly: files, and objects of other libraries.

Optional libraries are imported inside their door.
"""

from slth.doors.convert import as_network
from slth.doors.files import read_network, write_network

__all__ = ["as_network", "read_network", "write_network"]
