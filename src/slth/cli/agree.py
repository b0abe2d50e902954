"""`slth agree`: do two networks name the same label?"""

from __future__ import annotations

from pathlib import Path

from slth.certify import Agrees, LabelVerdict, agree_on
from slth.certify import agree as decide
from slth.cli.models import read_model
from slth.cli.output import BoundsLine, announce_compilation, print_json, stdout
from slth.cli.outputs import require_writable
from slth.cli.proofs import pair_proof_in_words, require_provable, written_pair_proof
from slth.cli.where import Where, rows_of, text_of
from slth.limits import Deadline
from slth.pair_proof import PairClaim

_NOWHERE = Where()


def agree(
    net: Path,
    target: Path,
    /,
    *,
    where: Where = _NOWHERE,
    delta: float | None = None,
    time_limit: float = 60.0,
    layers: str | None = None,
    target_layers: str | None = None,
    proof: Path | None = None,
    force: bool = False,
    json: bool = False,
) -> int:
    """Whether two networks have the same largest output, everywhere on a domain.

    With --around X.npy R: whether TARGET has, everywhere on the box around each row, the label that
    NET has at the row.

    Exit code 0: they agree; 1: they differ (a witness is shown), or it is undecided; 2: bad usage
    or input.

    Parameters
    ----------
    net
        The network whose labels count (.onnx, .safetensors, .npz, .nnet, .pt).
    target
        The network that is to have the same ones.
    delta
        Only inputs at which the softmax of NET's label exceeds this.
    time_limit
        Seconds.
    layers
        The architecture of NET if it is a state of dense layers: 4,8,relu,3 or 4,relu,8,3.
    target_layers
        The same for TARGET.
    proof
        Write a proof that they agree, for `slth check`; it has --time-limit again. Without one the
        exit code is 1.
    force
        Replace a file for --proof that slth did not write.
    json
        Print one JSON object.
    """
    first, second = read_model(net, layers), read_model(target, target_layers)
    require_writable(force, proof=proof)
    around_rows = where.around is not None and delta is None
    domains = [] if around_rows else where.domains(first.d, None)
    require_provable(proof, domains, None)
    announce_compilation()
    with BoundsLine() as report:
        if around_rows and where.around is not None:
            path, radius = where.around
            rows = rows_of(path)
            verdicts = agree_on(
                first, second, rows, radius=radius, time_limit=time_limit, report=report
            )
            said = f"the boxes around {len(rows)} rows"
        else:
            deadline = Deadline(time_limit)
            verdicts = []
            for place, domain in enumerate(domains):
                limit = max(1e-3, deadline.remaining / (len(domains) - place))
                verdicts.append(
                    decide(first, second, domain, delta=delta, time_limit=limit, report=report)
                )
            said = text_of(domains)
    status, worst = _worst(verdicts)
    witness = None if worst is None or worst.witness is None else worst.witness.tolist()
    holds = {Agrees.AGREE: True, Agrees.DIFFER: False, Agrees.UNKNOWN: None}[status]
    written = None
    if proof is not None and holds:
        claim = PairClaim(None, delta)
        written = written_pair_proof(proof, (first, second), domains[0], claim, time_limit)
    if json:
        result: dict[str, object] = {
            "status": str(status),
            "lower": None,
            "upper": None,
            "method": "none" if worst is None else worst.method,
            "witness": witness,
            "claim": "same label",
            "holds": holds,
            "rows": [str(verdict.status) for verdict in verdicts],
        }
        if proof is not None:
            result["proof"] = written
        print_json(result)
    else:
        count = sum(verdict.status == Agrees.AGREE for verdict in verdicts)
        part = f" ({count} of {len(verdicts)} agree)" if len(verdicts) > 1 else ""
        stdout.print(f"labels over {said}: {status}{part}", highlight=False)
        if witness is not None:
            stdout.print(f"they differ at {witness}", highlight=False)
        if proof is not None:
            stdout.print(pair_proof_in_words(written), highlight=False, soft_wrap=True)
    return 0 if holds and (proof is None or (written is not None and written["verified"])) else 1


def _worst(verdicts: list[LabelVerdict]) -> tuple[Agrees, LabelVerdict | None]:
    """One that differs, else one that is unknown, else the first."""
    for status in (Agrees.DIFFER, Agrees.UNKNOWN):
        for verdict in verdicts:
            if verdict.status == status:
                return status, verdict
    return Agrees.AGREE, verdicts[0] if verdicts else None
