"""slth: certified strong lottery tickets.

Search for tickets (untrusted), certify their error (rigorous), refute what cannot exist
(rigorous), check the written claim again with a program too small to be wrong.
"""

from slth.errors import InvalidInput, MissingExtra, SlthError, TicketError
from slth.network import Mask, ReLUNetwork, neuron, random_network
from slth.solution import Enclosure, Solution, Status

__version__ = "0.1.0"

__all__ = [
    "Enclosure",
    "InvalidInput",
    "Mask",
    "MissingExtra",
    "ReLUNetwork",
    "SlthError",
    "Solution",
    "Status",
    "TicketError",
    "neuron",
    "random_network",
]
