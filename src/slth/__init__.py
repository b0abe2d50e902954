"""slth: certified strong lottery tickets.

Search for tickets (untrusted), certify their error (rigorous), refute what cannot exist
(rigorous), check the written claim again with a program too small to be wrong.
"""

from slth import compiling, theory  # noqa: F401 (before any kernel: says where they are kept)
from slth.certify import LabelVerdict, agree, agree_on, certify, certify_many
from slth.check import check
from slth.deep import DeepNetwork
from slth.domain import Ball, Box, Orthant
from slth.doors import as_network, read_network, write_network
from slth.embed import Embedding, embed, load
from slth.errors import InvalidInput, MissingExtra, SlthError, TicketError
from slth.layers import AveragePool, Conv, Dense, Identity, LeakyRelu, Relu, Residual
from slth.network import Mask, ReLUNetwork, neuron, random_network
from slth.pruning.neurons import contenders, prune_neurons
from slth.pruning.trained import Compression, compress
from slth.pruning.weights import prune_weights, strategies
from slth.pruning.weights.subset_sum import subset_sum
from slth.solution import Enclosure, Enclosures, Solution, Status
from slth.ticket import Ticket
from slth.verdict import Verdict

__version__ = "0.1.0"

__all__ = [
    "AveragePool",
    "Ball",
    "Box",
    "Compression",
    "Conv",
    "DeepNetwork",
    "Dense",
    "Embedding",
    "Enclosure",
    "Enclosures",
    "Identity",
    "InvalidInput",
    "LabelVerdict",
    "LeakyRelu",
    "Mask",
    "MissingExtra",
    "Orthant",
    "ReLUNetwork",
    "Relu",
    "Residual",
    "SlthError",
    "Solution",
    "Status",
    "Ticket",
    "TicketError",
    "Verdict",
    "agree",
    "agree_on",
    "as_network",
    "certify",
    "certify_many",
    "check",
    "compress",
    "contenders",
    "embed",
    "load",
    "neuron",
    "prune_neurons",
    "prune_weights",
    "random_network",
    "read_network",
    "strategies",
    "subset_sum",
    "theory",
    "write_network",
]
