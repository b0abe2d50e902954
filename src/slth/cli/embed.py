"""`slth embed`: a whole network as the seed of a random one and a mask."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from slth.cli.models import read_model
from slth.cli.numbers import OptionalWhole, Whole
from slth.cli.output import BoundsLine, announce_compilation, print_json, stdout
from slth.cli.outputs import after_answer, require_writable
from slth.deep import DeepNetwork
from slth.domain import Ball, Box
from slth.doors.files import write_network, writer_for
from slth.embed import embed as prune
from slth.embed.assemble import Construction
from slth.embed.file import write
from slth.errors import InvalidInput
from slth.solution import Status


def embed(
    model: Path,
    /,
    *,
    out: Annotated[Path, Parameter(name=["--out", "-o"])],
    eps: float,
    radius: float | None = None,
    box: tuple[float, float] | None = None,
    seed: Whole = 0,
    construction: Construction = "double",
    workers: OptionalWhole = None,
    layers: str | None = None,
    module: Path | None = None,
    time_limit: float = math.inf,
    force: bool = False,
    json: bool = False,
) -> int:
    """Prune a random network to a trained ReLU network; write seed + mask.

    The certified error bounds every output, over the ball or box. Exit code 0: the error is at
    most --eps; 1: it is not, and the file holds the nearest found; 2: bad usage or input.

    Parameters
    ----------
    model
        A network file: .onnx, .safetensors, .npz, .nnet or .pt.
    out
        The file to write, usually ending in .slt.
    eps
        Error allowed.
    radius
        Bound the error over ||x||_2 <= radius. Default: 1.
    box
        Bound it over inputs from LOW to HIGH instead, e.g. --box 0 1 for pixels.
    seed
        Of the random network.
    construction
        "double": twice the depth (Pensia et al.); "plus-one": one layer more (Burkholz).
    workers
        Threads. Default: one a processor. The file does not depend on it.
    layers
        The architecture of the model if it is a state of dense layers: 4,8,relu,3.
    time_limit
        Seconds; no limit by default. Weights that are not solved by then get the empty subset.
    module
        File to write the pruned random network itself to (.onnx, .safetensors, .npz): dense arrays
        of random weights and zeros, far larger than --out.
    force
        Replace an existing file that slth did not write.
    json
        Print one JSON object.
    """
    if radius is not None and box is not None:
        raise InvalidInput(
            "two domains", got="--radius and --box", expected="one of them", fix="Leave one out."
        )
    domain = Box(*box) if box is not None else Ball(1.0 if radius is None else radius)
    require_writable(force, out=out, module=module)
    if module is not None:
        writer_for(module)
    network = DeepNetwork.of(read_model(model, layers))
    announce_compilation()
    started = time.monotonic()
    with BoundsLine() as report:
        found = prune(
            network,
            eps,
            domain=domain,
            seed=seed,
            construction=construction,
            workers=workers,
            time_limit=time_limit,
            report=report,
        )
    data = found.to_bytes()
    result: dict[str, object] = {
        "status": str(found.status),
        "error": found.error,
        "eps": found.eps,
        "bytes": len(data),
        "float32_bytes": 4 * network.weights,
        "mask_bits": found.mask_bits,
        "widths": found.widths,
        "random_weights": found.random_weights,
        "kept_weights": found.kept_weights,
        "seconds": time.monotonic() - started,
    }
    if json:
        print_json(result)
    else:
        stdout.print(
            f"{found.status}: certified error {found.error:.6g} for eps {eps:g}, {domain}\n"
            f"{out}: {len(data)} bytes; {network.weights} weights in float32 are "
            f"{4 * network.weights}\n"
            f"random network of widths {found.widths}: {found.kept_weights} of "
            f"{found.random_weights} weights kept",
            highlight=False,
        )
    with after_answer():
        write(out, data)
        if module is not None:
            write_network(found.pruned, module)
    return 0 if found.status == Status.REACHED else 1
