"""Ticket files: what is written comes back exactly; what is damaged is refused."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

import slth
from slth.archive import MAX_BYTES
from slth.check import check
from slth.errors import TicketError
from slth.proof import ErrorProof, RefutationProof
from slth.ticket import Ticket
from tests.ticket_files import examples, members, rewrite

EXAMPLES = examples()


def same_proof(a, b) -> bool:
    if a is None or b is None:
        return a is b
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in vars(a))


@pytest.mark.parametrize("name", EXAMPLES)
def test_round_trip(name, tmp_path):
    ticket, path = EXAMPLES[name], tmp_path / "a.ticket"
    ticket.save(path)
    again = Ticket.load(path)
    assert again.net == ticket.net
    assert again.target == ticket.target
    assert again.mask == ticket.mask
    assert (again.kind, again.radius, again.bound) == (ticket.kind, ticket.radius, ticket.bound)
    assert (again.status, again.eps, again.source) == (ticket.status, ticket.eps, ticket.source)
    assert (again.error.lower, again.error.upper) == (ticket.error.lower, ticket.error.upper)
    assert (again.error.status, again.error.method) == (ticket.error.status, ticket.error.method)
    assert np.array_equal(again.error.witness, ticket.error.witness)
    assert same_proof(again.error_proof, ticket.error_proof)
    assert same_proof(again.refutation, ticket.refutation)
    assert str(check(path)) == str(check(ticket))
    assert [p.name for p in tmp_path.iterdir()] == ["a.ticket"]


def test_equal_tickets_are_equal_files(tmp_path):
    for name, ticket in EXAMPLES.items():
        ticket.save(tmp_path / "a")
        Ticket.load(tmp_path / "a").save(tmp_path / "b")
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes(), name


def test_a_drawn_network_is_stored_by_its_seed(tmp_path):
    drawn = EXAMPLES["drawn"]
    drawn.save(tmp_path / "a")
    assert "net.hidden.npy" not in members(tmp_path / "a")
    solution = slth.Solution(drawn.mask, drawn.error, 0.0, drawn.status, drawn.masked)
    with pytest.raises(slth.InvalidInput, match="source does not draw"):
        Ticket.from_solution(solution, drawn.net, drawn.target, source=(2, drawn.net.width, 99))


def test_a_changed_stream_is_refused(tmp_path, monkeypatch):
    EXAMPLES["drawn"].save(tmp_path / "a")

    def another_stream(d, width, seed, readout):
        return slth.random_network(d, width, seed + 1, readout)

    monkeypatch.setattr("slth.ticket.random_network", another_stream)
    with pytest.raises(TicketError, match="SHA-256"):
        check(tmp_path / "a")


def test_numpy_reads_the_arrays(tmp_path):
    ticket = EXAMPLES["weight"]
    ticket.save(tmp_path / "a")
    with np.load(tmp_path / "a", allow_pickle=False) as arrays:
        assert np.array_equal(arrays["net.hidden"], ticket.net.hidden)
        assert np.array_equal(arrays["mask.output"], ticket.mask.output)


def test_arrays_written_by_numpy_are_read(tmp_path):
    ticket = EXAMPLES["weight"]
    ticket.save(tmp_path / "a")
    content = members(tmp_path / "a")
    stream = io.BytesIO()
    np.save(stream, ticket.net.hidden)
    rewrite(tmp_path / "b", content | {"net.hidden.npy": stream.getvalue()})
    assert Ticket.load(tmp_path / "b").net == ticket.net


def test_a_failed_save_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "a.ticket"
    EXAMPLES["drawn"].save(path)
    before = path.read_bytes()

    def full_disk(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(TicketError, match="No space left"):
        EXAMPLES["weight"].save(path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.ticket"]
    with pytest.raises(TicketError, match="cannot write"):
        EXAMPLES["weight"].save(tmp_path / "missing" / "a.ticket")


# Claims that cannot be made


def test_claims_must_be_finite_and_fit(tmp_path):
    ticket = EXAMPLES["drawn"]
    net, target, mask = ticket.net, ticket.target, ticket.mask

    def made(lower=0.0, upper=1.0, bound=0.0, witness=None, mask=mask, target=target, **parts):
        error = slth.Enclosure(lower, upper, witness, slth.Status.OPEN, "by hand")
        solution = slth.Solution(mask, error, bound, slth.Status.FEASIBLE, ticket.masked)
        return Ticket.from_solution(solution, net, target, **parts)

    made()
    for parts in (
        {"upper": np.inf},
        {"upper": np.nan},
        {"lower": -1.0},
        {"bound": np.inf},
        {"radius": 0.0},
        {"eps": -1.0},
        {"witness": np.zeros(3)},
        {"witness": np.array([np.nan, 0.0])},
        {"mask": slth.Mask.of_units([True], 2)},
        {"target": slth.neuron([1.0])},
    ):
        with pytest.raises(slth.InvalidInput):
            made(**parts)


def test_proofs_must_be_well_formed():
    proof = EXAMPLES["proven"].refutation
    good = {name: getattr(proof, name) for name in vars(proof)}
    for name, value in [
        ("points", good["points"].astype(np.float32)),
        ("points", good["points"] * np.nan),
        ("start", good["start"][:-1]),
        ("start", good["start"][::-1]),
        ("point", good["point"] + np.int32(1000)),
        ("weight", good["weight"][:-1]),
    ]:
        with pytest.raises(slth.InvalidInput):
            RefutationProof(**(good | {name: value}))
    split = np.zeros((1, 4), dtype=np.uint16)
    tau, mix = np.zeros((1, 2), dtype=np.uint32), np.zeros(1, dtype=np.uint32)
    ErrorProof(split, tau, mix, np.zeros((1, 3)))
    with pytest.raises(slth.InvalidInput):
        ErrorProof(split, tau, mix, np.zeros((2, 3)))
    with pytest.raises(slth.InvalidInput):
        ErrorProof(split[:, :3], tau, mix, np.zeros((1, 3)))


# Damaged files


def npy(array, **options) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


def header(**changes):
    """Change keys of ticket.json, canonically."""

    def change(content):
        stated = json.loads(content["ticket.json"])
        for path, value in changes.items():
            place = stated
            *outer, last = path.split("__")
            for key in outer:
                place = place[key]
            if value is ...:
                del place[last]
            else:
                place[last] = value
        text = json.dumps(stated, sort_keys=True, separators=(",", ":"))
        return content | {"ticket.json": text.encode()}

    return change


def raw(text: bytes):
    return lambda content: content | {"ticket.json": text}


def array(name, value):
    return lambda content: content | {f"{name}.npy": value}


def without(name):
    return lambda content: {key: value for key, value in content.items() if key != name}


def swapped(a, b):
    return lambda content: content | {a: content[b], b: content[a]}


HIDDEN = EXAMPLES["weight"].net.hidden
DAMAGE = {
    "no header": without("ticket.json"),
    "no weights": without("net.hidden.npy"),
    "no mask": without("mask.output.npy"),
    "unknown member": array("surprise", npy(HIDDEN)),
    "path upwards": lambda c: c | {"../../evil.npy": npy(HIDDEN)},
    "absolute path": lambda c: c | {"/tmp/evil.npy": npy(HIDDEN)},
    "half a proof": array("refutation.points", npy(HIDDEN)),
    "not json": raw(b"{"),
    "empty json": raw(b""),
    "json of another kind": raw(b"[]"),
    "json with a nan": raw(b'{"bound":NaN}'),
    "nested json": raw(b"[" * 8000 + b"]" * 8000),
    "json not utf-8": raw(b'{"a":"\xff"}'),
    "long json": raw(b" " * 100_000),
    "huge integer": raw(b'{"version":' + b"9" * 10_000 + b"}"),
    "spaced json": lambda c: c | {"ticket.json": c["ticket.json"].replace(b",", b", ", 1)},
    "doubled key": lambda c: (
        c
        | {"ticket.json": c["ticket.json"].replace(b'{"bound"', b'{"bound":"0x0.0p+0","bound"', 1)}
    ),
    "other version": header(version=2),
    "boolean version": header(version=True),
    "other format": header(format="zip"),
    "unknown key": header(extra=1),
    "missing key": header(radius=...),
    "nan error": header(upper="nan"),
    "infinite error": header(upper="inf"),
    "negative error": header(lower="-0x1.0000000000000p+0"),
    "decimal error": header(upper="1.5"),
    "error too large": header(upper="0x1p+5000"),
    "number for a text": header(upper=1.5),
    "unknown status": header(status="certain"),
    "unknown kind": header(kind="both"),
    "list for a kind": header(kind=["weight"]),
    "kind that does not fit": header(kind="neuron"),
    "zero radius": header(radius="0x0.0p+0"),
    "unknown readout": header(net__readout="tanh"),
    "other readout": header(net__readout="linear"),
    "other weights": header(net__sha256="0" * 64),
    "other target": header(target__sha256="0" * 64),
    "net of another shape": header(net=[]),
    "unknown generator": header(net__source={"generator": "dice", "d": 3, "width": 18, "seed": 0}),
    "huge network to draw": header(
        net__source={"generator": "slth.random_network", "d": 10**6, "width": 10**6, "seed": 0}
    ),
    "huge empty network": header(
        net__source={"generator": "slth.random_network", "d": 10**15, "width": 0, "seed": 0}
    ),
    "source and weights": header(
        net__source={"generator": "slth.random_network", "d": 3, "width": 18, "seed": 0}
    ),
    "not an array": array("net.hidden", b"\x93NUMPY"),
    "pickle": array("net.hidden", pickle.dumps(HIDDEN)),
    "object array": array("net.hidden", npy(HIDDEN.astype(object), allow_pickle=True)),
    "single precision": array("net.hidden", npy(HIDDEN.astype(np.float32))),
    "big endian": array("net.hidden", npy(HIDDEN.astype(">f8"))),
    "column order": array("net.hidden", npy(np.asfortranarray(HIDDEN))),
    "npy version 2": array("net.hidden", npy(HIDDEN, version=(2, 0))),
    "nan weight": array("net.hidden", npy(np.where(np.arange(3) == 1, np.nan, HIDDEN))),
    "infinite weight": array("net.hidden", npy(np.where(np.arange(3) == 1, np.inf, HIDDEN))),
    "one axis too few": array("net.hidden", npy(HIDDEN.ravel())),
    "three axes": array("net.hidden", npy(HIDDEN[None])),
    "fewer units": array("net.hidden", npy(HIDDEN[:-1])),
    "truncated array": array("net.hidden", npy(HIDDEN)[:-1]),
    "longer array": array("net.hidden", npy(HIDDEN) + b"\0"),
    "long empty array": array(
        "net.hidden", npy(np.zeros((0, 3))).replace(b"(0, 3), }", b"(0, 99999999999), }")
    ),
    "shape too large": array(
        "net.hidden", npy(HIDDEN).replace(b"(18, 3), }        ", b"(999999999, 3), } ")
    ),
    "swapped arrays": swapped("net.hidden.npy", "target.hidden.npy"),
    "swapped masks": swapped("mask.hidden.npy", "mask.output.npy"),
    "mask of integers": array("mask.output", npy(np.ones(18, dtype=np.int8))),
    "mask with a two": lambda c: c | {"mask.output.npy": c["mask.output.npy"][:-1] + b"\2"},
    "mask too short": array("mask.output", npy(np.ones(17, dtype=bool))),
    "witness of other length": array("witness", npy(np.ones(2))),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_content_is_refused(damage, tmp_path):
    EXAMPLES["weight"].save(tmp_path / "a")
    content = members(tmp_path / "a")
    changed = DAMAGE[damage](content)
    assert changed != content
    rewrite(tmp_path / "b", changed)
    with pytest.raises(TicketError):
        Ticket.load(tmp_path / "b")
    with pytest.raises(TicketError):
        check(tmp_path / "b")


def test_what_is_no_zip_is_refused(tmp_path):
    EXAMPLES["weight"].save(tmp_path / "a")
    whole = (tmp_path / "a").read_bytes()
    for name, data in {
        "empty": b"",
        "short": b"PK",
        "text": b"not a ticket " * 100,
        "truncated": whole[:-1],
        "half": whole[: len(whole) // 2],
        "tail": whole[len(whole) // 2 :],
        "comment": whole[:-2] + b"\1\0!",
        "huge directory": whole[:-10] + b"\xff\xff\xff\x7f" + whole[-6:],
        "64-bit locator": whole[:-22] + b"PK\x06\x07" + bytes(16) + whole[-22:],
        "end only": whole[-22:],
    }.items():
        (tmp_path / "b").write_bytes(data)
        with pytest.raises(TicketError):
            raise AssertionError(f"{name}: {Ticket.load(tmp_path / 'b')}")


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(TicketError, match="cannot read"):
        check(tmp_path / "missing.ticket")
    with pytest.raises(TicketError, match="cannot read"):
        check(tmp_path)


def test_doubled_members_and_other_packings_are_refused(tmp_path):
    EXAMPLES["weight"].save(tmp_path / "a")
    content = members(tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "b", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("ticket.json", content["ticket.json"])
    with pytest.raises(TicketError):
        Ticket.load(tmp_path / "b")
    rewrite(tmp_path / "c", content, zipfile.ZIP_LZMA)
    with pytest.raises(TicketError, match="unknown method"):
        Ticket.load(tmp_path / "c")
    rewrite(tmp_path / "d", content, zipfile.ZIP_STORED)
    assert Ticket.load(tmp_path / "d").net == EXAMPLES["weight"].net


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    EXAMPLES["weight"].save(tmp_path / "a")
    content = members(tmp_path / "a")
    with zipfile.ZipFile(tmp_path / "b", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            if name != "net.hidden.npy":
                archive.writestr(name, data)
        with archive.open("net.hidden.npy", "w") as member:
            for _ in range(MAX_BYTES // (1 << 24) + 1):
                member.write(bytes(1 << 24))
    assert (tmp_path / "b").stat().st_size < 1 << 20
    with pytest.raises(TicketError, match="when unpacked"):
        Ticket.load(tmp_path / "b")
    # The same bomb under a lie about its size.
    data = (tmp_path / "b").read_bytes()
    size = (MAX_BYTES + (1 << 24)).to_bytes(4, "little")
    (tmp_path / "b").write_bytes(data.replace(size, (1000).to_bytes(4, "little")))
    with pytest.raises(TicketError):
        Ticket.load(tmp_path / "b")
