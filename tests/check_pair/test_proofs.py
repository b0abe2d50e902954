"""Written proofs about two networks: round trips, and what is refused."""

import dataclasses
import json

import numpy as np
import pytest

import slth
from slth.archive import MAX_BYTES
from slth.certify.prove import pair as writer
from slth.certify.prove.pair import prove_pair
from slth.cli import run
from slth.limits import Deadline
from slth.pair_proof import PairClaim, PairProof
from slth.verdict import Outcome
from tests.certify.deep.networks import KINDS, dense, mlp
from tests.check_pair.proven import COUNT, accepted_falsely, mutant, pair_of, permuted, proven


@pytest.mark.parametrize("number", range(COUNT))
def test_what_was_proven_is_verified_from_its_bytes(number):
    base = proven(number)
    data = base.proof.to_bytes()
    read = PairProof.from_bytes(data)
    assert read.to_bytes() == data
    verdict = slth.check(read, base.net, base.target)
    assert verdict
    assert verdict.outcome is Outcome.VERIFIED
    # The networks are not to be exchanged.
    assert not slth.check(read, base.target, base.net)


@pytest.mark.parametrize("domain", [slth.Ball(0.6), slth.Ball(0.5, [1, 0, 0]), slth.Orthant(0.5)])
def test_proofs_on_balls(domain):
    net, target = pair_of("mlp", 3, True)
    upper = slth.certify(net, target, domain=domain, eps=1e-3).upper
    proof = prove_pair(net, target, domain, PairClaim(1.2 * upper), Deadline())
    assert slth.check(PairProof.from_bytes(proof.to_bytes()), net, target)
    smaller = dataclasses.replace(proof, claim=PairClaim(0.1 * upper))
    assert slth.check(smaller, net, target)["error"].outcome is Outcome.REFUSED


def test_permuted_and_dropped_units_are_paired():
    generator = np.random.default_rng(0)
    net = slth.DeepNetwork([dense(generator, 8, 3), dense(generator, 9, 8), dense(generator, 2, 9)])
    target = permuted(net, generator)
    box = slth.Box(-0.1, 0.1)
    proof = prove_pair(net, target, box, PairClaim(2.0), Deadline())
    assert proof.paired
    assert (proof.order_size >= 8).all()
    assert slth.check(proof, net, target)
    swapped = dataclasses.replace(proof, order_target=proof.order_target[::-1].copy())
    assert slth.check(swapped, net, target)["error"].outcome is Outcome.REFUSED


def test_networks_of_one_hidden_layer_and_other_layers():
    net = slth.random_network(3, 12, seed=1)
    target = slth.random_network(3, 5, seed=2)
    proof = prove_pair(net, target, slth.Ball(1.0), PairClaim(30.0), Deadline())
    assert slth.check(proof, net, target)
    deep = mlp(np.random.default_rng(0))
    other = slth.DeepNetwork([dense(np.random.default_rng(1), 2, 3)])
    proof = prove_pair(deep, other, slth.Box(-0.1, 0.1), PairClaim(10.0), Deadline())
    assert not proof.paired
    assert slth.check(proof, deep, other)


def test_a_label_proof_is_refused_where_labels_differ():
    """The proof of a pair that agrees, told of one whose labels differ at a known point."""
    base = proven(COUNT - 3)
    items = list(base.target.items)
    last = items[-1]
    items[-1] = slth.Dense(last.weight[::-1], last.bias[::-1])
    other = slth.DeepNetwork(items, base.target.last, base.target.input_shape)
    proof = dataclasses.replace(base.proof, target=other.digest())
    assert slth.check(proof, base.net, other)["networks"].outcome is Outcome.VERIFIED
    assert slth.check(proof, base.net, other)["labels"].outcome is Outcome.REFUSED


def test_ties_of_outputs_that_are_off_are_proven():
    weight = np.random.default_rng(0).standard_normal((3, 2))
    dead = slth.DeepNetwork([slth.Dense(weight, [-9.0] * 3)], "relu")
    alive = slth.DeepNetwork([slth.Dense(weight, [9.0, 0.0, 0.0])], "relu")
    for pair in ((dead, alive), (alive, dead)):
        proof = prove_pair(*pair, slth.Box(-1.0, 1.0), PairClaim(None), Deadline())
        assert slth.check(proof, *pair)
        other = slth.DeepNetwork([slth.Dense(weight, [0.0, 9.0, 0.0])], "relu")
        told = dataclasses.replace(proof, net=alive.digest(), target=other.digest())
        assert not slth.check(told, alive, other)


def test_the_networks_are_those_of_the_file():
    base = proven(0)
    changed = slth.DeepNetwork([slth.Dense(i.weight * 1.0, i.bias) for i in base.net.items])
    assert slth.check(base.proof, changed, base.target)
    off = slth.DeepNetwork([slth.Dense(i.weight * (1 + 2.0**-52), i.bias) for i in base.net.items])
    verdict = slth.check(base.proof, off, base.target)
    assert verdict["networks"].outcome is Outcome.REFUSED
    assert not verdict


@pytest.mark.parametrize("seed", range(160))
def test_no_mutant_is_falsely_accepted(seed):
    assert not accepted_falsely(mutant(seed))


def test_false_claims_have_no_proof():
    net, target = (KINDS["mlp"](np.random.default_rng(seed)) for seed in (0, 1))
    box = slth.Box(0.2, 0.2)
    error = np.abs(net(np.full(3, 0.2)) - target(np.full(3, 0.2))).max()
    assert prove_pair(net, target, box, PairClaim(1.001 * error), Deadline()) is not None
    assert prove_pair(net, target, box, PairClaim(0.999 * error), Deadline()) is None


def test_proofs_are_bounded(monkeypatch):
    base = proven(1)
    assert base.proof.slopes.nbytes > 100
    monkeypatch.setattr(writer, "_MOST_BYTES", 100)
    assert writer._MOST_BYTES < MAX_BYTES
    assert prove_pair(base.net, base.target, base.box, base.proof.claim, Deadline()) is None


def test_much_work_is_not_covered(monkeypatch):
    base = proven(0)
    monkeypatch.setattr("slth.check_pair._MOST_WORK", 10.0)
    verdict = slth.check(base.proof, base.net, base.target)
    assert verdict["error"].outcome is Outcome.NOT_COVERED
    assert not verdict


def test_deep_trees_are_refused(monkeypatch):
    base = proven(1)
    monkeypatch.setattr("slth.check_pair._MOST_CUTS", 1)
    assert not slth.check(base.proof, base.net, base.target)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"claim": PairClaim(0.25)}, "do not fit"),
        ({"slopes": np.zeros((1, 3), np.uint8)}, "do not fit"),
        ({"split": np.array([-2, -1], np.int32)}, "do not fit"),
        ({"split": np.array([-1], np.int64)}, "split of a proof"),
        ({"order_size": np.array([-1, 1], np.int32)}, "do not fit"),
    ],
)
def test_parts_must_fit(change, said):
    base = proven(COUNT - 1)
    with pytest.raises(slth.InvalidInput, match=said):
        dataclasses.replace(base.proof, **change)


@pytest.mark.parametrize(("eps", "delta"), [(0.0, None), (np.inf, None), (None, 1.0), (1.0, 0.5)])
def test_claims_must_be_claims(eps, delta):
    with pytest.raises(slth.InvalidInput, match="no claim"):
        PairClaim(eps, delta)


def test_other_files_are_said(tmp_path):
    base = proven(0)
    base.proof.save(tmp_path / "a.proof")
    with pytest.raises(slth.TicketError):
        slth.check(tmp_path / "a.proof")
    with pytest.raises(slth.InvalidInput, match="two networks"):
        slth.check(tmp_path / "a.proof", base.net)
    ticket = slth.Ticket.load("tests/data/neurons.ticket")
    with pytest.raises(slth.TicketError, match="not a valid proof"):
        slth.check("tests/data/neurons.ticket", ticket.net, ticket.target)


def saved(folder, name, network):
    arrays = {}
    for place, item in enumerate(network.items):
        arrays[f"{place}.weight"], arrays[f"{place}.bias"] = item.weight, item.bias
    np.savez(folder / f"{name}.npz", **arrays)
    return str(folder / f"{name}.npz")


def test_the_commands(tmp_path, capsys):
    net, target = pair_of("mlp", 0, True)
    files = saved(tmp_path, "a", net), saved(tmp_path, "b", target)
    proof = tmp_path / "ab.proof"
    words = ["certify", *files, "--box", "0", "1", "--proof", str(proof), "--json"]
    assert run(words) == 2
    assert "--eps" in json.loads(capsys.readouterr().out)["error"]
    assert run([*words, "--eps", "0.01"]) == 0
    said = json.loads(capsys.readouterr().out)["proof"]
    assert said["verified"]
    assert said["bytes"] == proof.stat().st_size
    assert run(["check", str(proof), *files]) == 0
    assert run(["check", str(proof), *reversed(files)]) == 1
    assert run(["check", str(proof), files[0]]) == 2
    capsys.readouterr()
    assert run([*words, "--eps", "1e-9"]) == 1
    assert json.loads(capsys.readouterr().out)["proof"] is None
    words = ["agree", files[0], files[0], "--box", "0", "1", "--proof", str(proof), "--json"]
    run(words)
    said = json.loads(capsys.readouterr().out)["proof"]
    assert said["verified"]
    assert run(["check", str(proof), files[0], files[0], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["claims"][1]["name"] == "labels"
