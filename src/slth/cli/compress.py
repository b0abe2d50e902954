"""`slth compress`: a trained network with fewer hidden units or weights, certified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from slth.cli.models import read_model
from slth.cli.numbers import OptionalWhole, Whole
from slth.cli.output import BoundsLine, announce_compilation, print_json, stdout
from slth.cli.outputs import after_answer, require_writable
from slth.cli.proofs import pair_proof_in_words, require_provable, written_pair_proof
from slth.cli.where import Where, rows_of
from slth.doors.files import write_network, writer_for
from slth.errors import InvalidInput
from slth.pair_proof import PairClaim
from slth.pruning.trained import compress as fewer
from slth.pruning.trained.compression import Granularity

_NOWHERE = Where()


def compress(
    model: Path,
    /,
    *,
    where: Where = _NOWHERE,
    eps: float | None = None,
    units: OptionalWhole = None,
    weights: OptionalWhole = None,
    ratio: float | None = None,
    agree_on: Annotated[tuple[Path, float] | None, Parameter(name="--agree-on")] = None,
    granularity: Granularity = "neurons",
    merge: bool = False,
    fold: bool = False,
    compensate: bool = False,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    proof: Path | None = None,
    layers: str | None = None,
    time_limit: float = 60.0,
    seed: Whole = 0,
    force: bool = False,
    json: bool = False,
) -> int:
    """Remove hidden units of a trained network (channels of a Conv), or single weights; nothing is
    retrained.

    Give one of --eps, --units (or --weights), --ratio, --agree-on, and the inputs that count:
    --box or --ball.

    Exit code 0: the smaller network keeps the claim; 1: no proof of it was found for --proof; 2:
    bad usage or input.

    Parameters
    ----------
    model
        A network file (.onnx, .safetensors, .npz, .nnet, .pt). Units joined by a skip go together.
    eps
        The fewest units (or weights) with a certified error of at most this.
    units
        At most so many units in all, with a small error.
    weights
        With --granularity weights: at most so many weights that are not 0, with a small error.
    ratio
        At most this share of the units (or weights), with a small error.
    agree_on
        The fewest units (or weights) that keep the labels on boxes of half side R around the rows
        of an .npy file: --agree-on X.npy R.
    granularity
        "neurons": whole units go, and the network that is written is smaller. "weights": single
        weights become 0, and the network keeps its shape: more of them can go, but only what
        knows of zeros runs faster.
    merge
        Let a unit take over what reads a multiple of it. That changes weights: more than pruning.
    fold
        Fold units that are on on the whole domain, and combinations of others that are, into the
        next layer. That changes weights, too.
    compensate
        Let the next layer's biases take over units that go, at the middle of their ranges. That
        changes biases: more than pruning.
    out
        The file to write the smaller network to (.onnx, .safetensors, .npz).
    proof
        The file to write a proof to, with --eps and --out: slth check PROOF MODEL OUT verifies,
        without the certifier, that both are within --eps. It has --time-limit again.
    layers
        The architecture of the model if it is a state of dense layers: 4,8,relu,3.
    time_limit
        Seconds.
    seed
        Of the points at which removals are tried.
    force
        Replace an existing file that slth did not write.
    json
        Print one JSON object.
    """
    require_writable(force, out=out, proof=proof)
    if proof is not None and out is None:
        raise InvalidInput(
            "--proof without --out",
            got="no file of the smaller network",
            expected="both: a proof is about two networks",
            fix="Pass --out, too.",
        )
    if out is not None:
        writer_for(out)
    network = read_model(model, layers)
    domains = where.domains(network.d, None)
    if len(domains) != 1:
        raise InvalidInput(
            "several domains to compress for",
            got=f"{len(domains)} boxes",
            expected="one",
            fix="Use --box, or --agree-on X.npy R for boxes around rows.",
        )
    require_provable(proof, domains, None if eps is not None else "--eps")
    announce_compilation()
    with BoundsLine() as report:
        found = fewer(
            network,
            domains[0],
            eps=eps,
            units=units,
            weights=weights,
            ratio=ratio,
            agree_on=None if agree_on is None else rows_of(agree_on[0]),
            radius=None if agree_on is None else agree_on[1],
            granularity=granularity,
            merge=merge,
            fold=fold,
            compensate=compensate,
            time_limit=time_limit,
            seed=seed,
            report=report,
        )
    facts = None
    if proof is not None and eps is not None:
        both = (network, found.network)
        facts = written_pair_proof(proof, both, domains[0], PairClaim(eps), time_limit)
    if json:
        result: dict[str, object] = {
            "status": str(found.status),
            "kept": [mask.tolist() for mask in found.kept],
            "units": found.units,
            "least_units": found.least_units,
            "granularity": found.granularity,
            "weights": found.weights,
            "least_weights": found.least_weights,
            "error": {"lower": found.error.lower, "upper": found.error.upper},
            "stats": found.stats,
            **({} if proof is None else {"proof": facts}),
        }
        print_json(result)
    else:
        stdout.print(found.table(), highlight=False, markup=False)
        if proof is not None:
            stdout.print(pair_proof_in_words(facts), highlight=False, markup=False)
    if out is not None:
        with after_answer():
            write_network(found.network, out)
    return 0 if facts or proof is None else 1
