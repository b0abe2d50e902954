"""Embedding files: what is written is read, and nothing else is."""

import io
import json
import zipfile

import numpy as np
import pytest

import slth
from slth.cli import run
from tests.embed.test_embed import CASES, points


@pytest.fixture(scope="module")
def target():
    rng = np.random.default_rng(0)
    return slth.DeepNetwork(
        (
            slth.Dense(rng.standard_normal((4, 3)), rng.standard_normal(4)),
            slth.Dense(rng.standard_normal((2, 4))),
        )
    )


@pytest.fixture(scope="module")
def file(target, tmp_path_factory):
    path = tmp_path_factory.mktemp("embed") / "model.slt"
    slth.embed(target, 0.3, seed=5, workers=1).save(path)
    return path


WRITTEN = {name: CASES[name] for name in ("mlp, signed box", "image", "image, one layer more")}


@pytest.mark.parametrize(("target", "domain", "construction"), WRITTEN.values(), ids=WRITTEN)
def test_what_is_written_is_read(tmp_path, target, domain, construction):
    found = slth.embed(target, 0.2, domain=domain, construction=construction, workers=1)
    size = found.save(tmp_path / "a.slt")
    assert size == (tmp_path / "a.slt").stat().st_size
    again = slth.load(tmp_path / "a.slt", workers=2)
    x = points(target, domain, 20)
    np.testing.assert_array_equal(again(x), found(x))
    assert (again.error, again.eps, again.domain) == (found.error, found.eps, found.domain)
    assert again.certify(target) == found.error
    found.save(tmp_path / "b.slt")
    assert (tmp_path / "a.slt").read_bytes() == (tmp_path / "b.slt").read_bytes()


def changed(file, tmp_path, change):
    """A copy whose header went through `change`."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = json.loads(members["ticket.json"])
    change(header)
    members["ticket.json"] = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    path = tmp_path / "changed.slt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


CHANGES = {
    "seed": lambda h: h.update(seed=6),
    "construction": lambda h: h.update(construction="plus-one"),
    "generator": lambda h: h.update(generator="pcg64"),
    "version": lambda h: h.update(version=2),
    "domain": lambda h: h.update(domain={"low": (0.0).hex(), "high": (1.0).hex()}),
    "negative radius": lambda h: h.update(domain={"ball": (-1.0).hex()}),
    "digest": lambda h: h.update(weights_sha256="0" * 64),
    "no digest": lambda h: h.pop("weights_sha256"),
    "input shape": lambda h: h.update(input_shape=[4]),
    "huge seed": lambda h: h.update(seed=1 << 64),
    "error": lambda h: h.update(error="nan"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_header_is_refused(file, tmp_path, change):
    with pytest.raises(slth.TicketError, match=r"changed\.slt: not a valid embedding"):
        slth.load(changed(file, tmp_path, change), workers=1)


def test_the_seed_mismatch_is_named(file, tmp_path):
    path = changed(file, tmp_path, lambda header: header.update(seed=6))
    with pytest.raises(slth.TicketError, match="seed 6 draws other weights"):
        slth.load(path, workers=1)


def test_truncated_files_are_refused(file, tmp_path):
    data = file.read_bytes()
    path = tmp_path / "cut.slt"
    for size in {0, 1, 22, len(data) // 2, len(data) - 1}:
        path.write_bytes(data[:size])
        with pytest.raises(slth.TicketError):
            slth.load(path, workers=1)


def test_flipped_bytes_are_refused_or_harmless(file, tmp_path, target):
    data = bytearray(file.read_bytes())
    path = tmp_path / "flipped.slt"
    expected = slth.load(file, workers=1)(np.eye(3))
    for at in range(0, len(data), 7):
        spoiled = bytearray(data)
        spoiled[at] ^= 0x55
        path.write_bytes(spoiled)
        try:
            again = slth.load(path, workers=1)
        except slth.TicketError:
            continue
        # Bytes of the zip's bookkeeping (times, versions) may change; what it says may not.
        np.testing.assert_array_equal(again(np.eye(3)), expected)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (0, 0),
        (0, 1 << 40),
        (3, 9),
        (4, 0),
        (5, -1),
        (8, 3),
        (9, 31),
        (10, 999),
        (11, 40),
        (12, 999),
    ],
)
def test_impossible_layers_are_refused(file, tmp_path, column, value):
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    table = np.load(io.BytesIO(members["layers.npy"]))
    table[0, column] = value
    path = tmp_path / "layers.slt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ticket.json", members["ticket.json"])
        archive.writestr("layers.npy", members["layers.npy"][:128] + table.tobytes())
        archive.writestr("mask.npy", members["mask.npy"])
    with pytest.raises(slth.TicketError, match="not a valid embedding"):
        slth.load(path, workers=1)


def test_other_files_are_refused(tmp_path):
    with pytest.raises(slth.TicketError, match="cannot read"):
        slth.load(tmp_path / "missing.slt")
    net = slth.random_network(2, 4, 0)
    solution = slth.prune_neurons(net, slth.neuron([1.0, 0.0]))
    slth.Ticket.from_solution(solution, net, slth.neuron([1.0, 0.0])).save(tmp_path / "a.ticket")
    with pytest.raises(slth.TicketError, match="not a valid embedding"):
        slth.load(tmp_path / "a.ticket")


def test_a_failed_write_leaves_nothing(target, tmp_path):
    found = slth.embed(target, 0.5, workers=1)
    (tmp_path / "taken").mkdir()
    for path in (tmp_path / "no" / "a.slt", tmp_path / "taken"):
        with pytest.raises(slth.TicketError, match="cannot write"):
            found.save(path)
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_command_line(target, tmp_path, capsys):
    model, out = tmp_path / "model.npz", tmp_path / "model.slt"
    arrays = {"0.weight": target.items[0].weight, "0.bias": target.items[0].bias}
    np.savez(model, **arrays, **{"2.weight": target.items[1].weight})
    command = ["embed", str(model), "-o", str(out)]
    assert run([*command, "--eps", "0.2", "--radius", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["status"] == "reached"
    assert said["bytes"] == out.stat().st_size
    found = slth.load(out, workers=1)
    assert found.domain == slth.Ball(2.0)
    assert found.error == said["error"] <= 0.2
    assert found.certify(target) == found.error
    assert run(["certify", str(out), str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "status": "closed",
        "lower": 0.0,
        "upper": found.error,
        "method": "layers",
        "witness": None,
        "claim": found.error,
        "holds": True,
    }
    assert run(["certify", str(out), str(model), "--eps", "1e-9"]) == 1
    assert run([*command, "--eps", "1e-13", "--box", "0", "1"]) == 1


def test_command_line_refuses(tmp_path, capsys):
    model, out = tmp_path / "model.npz", tmp_path / "model.slt"
    command = ["embed", str(model), "-o", str(out), "--eps", "0.1"]
    assert run(command) == 2
    model.write_bytes(b"no archive")
    assert run(command) == 2
    np.savez(model, **{"0.weight": np.ones((2, 2, 2))})
    assert run(command) == 2
    np.savez(model, W=np.ones((2, 2)))
    assert run(command) == 2
    np.savez(model, **{"0.weight": np.ones((2, 2))})
    assert run([*command, "--radius", "1", "--box", "0", "1"]) == 2
    assert run(["certify", str(out)]) == 2
    assert not out.exists()
    assert "slth:" in capsys.readouterr().err
