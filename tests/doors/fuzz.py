"""Mutated files for the doors, and independent readers that what is read is held against."""

from __future__ import annotations

import io
import json
import re
import struct
import warnings
import zipfile
from fractions import Fraction

import numpy as np
import onnx

import slth
from slth.doors.vnnlib import read_boxes
from tests.doors.graphs import evaluated, model_of
from tests.doors.test_onnx import ALONE, WRITTEN
from tests.doors.test_roundings import written_nnet
from tests.doors.test_vnnlib import UNIT, V2

# Sums below these do not overflow in single and in double precision.
_FLOAT32, _FLOAT64 = 3.4e38, 1.7e308
NUMBERS = [0, 1, -1, 2, 3, 7, 127, 255, 256, 2**31 - 1, 2**31, 2**40, 2**62, -(2**31)]
SPEC = V2 + "(assert (and (<= X[0,0] 1.0) (>= X[0,0] 0.0) (== X[0,1] 0.5)))\n"


def corpus(folder):
    """(ending, bytes) of true files of every kind."""
    files = []
    for number, (nodes, shape, tensors) in enumerate(ALONE.values()):
        model = model_of(nodes, shape, tensors, 7 + number % 15)
        files.append(("onnx", model.SerializeToString()))
    for network in WRITTEN.values():
        for ending in ("onnx", "npz", "safetensors"):
            path = folder / f"net.{ending}"
            slth.write_network(network, path)
            files += [(ending, path.read_bytes())] * (1 if ending == "onnx" else 4)
    stream = io.BytesIO()
    np.savez(stream, hidden=np.eye(3), output=np.ones(3), readout="relu")
    files += [("npz", stream.getvalue())] * 4
    path, _ = written_nnet(folder, [3, 4, 2], [0.5, -3.0, 11.0], [1.5, 0.7, 5.0], 2.5, 7.0)
    files += [("nnet", path.read_bytes())] * 15
    claims = "(assert (or (<= X_0 0.25) (and (>= X_0 0.5) (<= X_1 0.1))))(assert (<= Y_0 3))"
    files += [("vnnlib", (UNIT + claims).encode()), ("vnnlib", SPEC.encode())] * 8
    return files


def mutated(rng, ending, data):
    """The file with some of its bytes, or of the parts behind its checks, changed."""
    if rng.random() < 0.4:
        return _bytes(rng, data)
    try:
        return _CHANGES[ending](rng, data)
    except (ValueError, OverflowError):
        # A number that the field does not hold.
        return _bytes(rng, data)


def _bytes(rng, data):
    out = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        start = int(rng.integers(len(out) + 1))
        stop = min(len(out), start + int(rng.choice([1, 1, 4, 16, len(out)])))
        match rng.integers(5):
            case 0 if start < len(out):
                out[start] ^= 1 << int(rng.integers(8))
            case 1:
                del out[start:stop]
            case 2:
                out[start:start] = out[start:stop]
            case 3:
                out[start:stop] = rng.bytes(stop - start)
            case _:
                out[start:start] = rng.bytes(int(rng.integers(1, 5)))
    return bytes(out)


def _flipped(rng, data):
    out = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        if out:
            out[int(rng.integers(len(out)))] ^= 1 << int(rng.integers(8))
    return bytes(out)


def _onnx(rng, data):
    model = onnx.load_from_string(data)
    graph = model.graph
    for _ in range(rng.integers(1, 3)):
        node = graph.node[int(rng.integers(len(graph.node)))]
        names = [name for part in graph.node for name in (*part.input, *part.output)]
        tensors = list(graph.initializer)
        match rng.integers(9):
            case 0:
                kinds = sorted({part[0][0][0] for part in ALONE.values()})
                node.op_type = str(rng.choice([*kinds, "MaxPool", "Exp", "Shape"]))
            case 1 if node.input:
                node.input[int(rng.integers(len(node.input)))] = str(rng.choice(names))
            case 2 if node.attribute:
                part = node.attribute[int(rng.integers(len(node.attribute)))]
                part.i = int(rng.choice(NUMBERS[:7]))
                part.f = float(rng.choice([0.0, 1.0, -2.0, 1e30, np.inf, np.nan, 0.37]))
                for place in range(len(part.ints)):
                    if rng.random() < 0.5:
                        part.ints[place] = int(rng.choice(NUMBERS))
            case 3 if tensors:
                tensor = tensors[int(rng.integers(len(tensors)))]
                if tensor.dims:
                    tensor.dims[int(rng.integers(len(tensor.dims)))] = int(rng.choice(NUMBERS))
            case 4 if tensors:
                tensor = tensors[int(rng.integers(len(tensors)))]
                tensor.raw_data = _bytes(rng, tensor.raw_data)
            case 5:
                dims = graph.input[0].type.tensor_type.shape.dim
                dims[int(rng.integers(len(dims)))].dim_value = int(rng.choice(NUMBERS[:9]))
            case 6:
                model.opset_import[0].version = int(rng.integers(1, 24))
            case 7:
                graph.node.append(node)
            case _ if tensors:
                tensors[int(rng.integers(len(tensors)))].data_type = int(rng.integers(0, 23))
    return model.SerializeToString()


def _npz(rng, data):
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(stream, "w") as new:
        members = old.namelist()
        changed = members[int(rng.integers(len(members)))]
        for name in members:
            content = old.read(name)
            if name == changed:
                # Behind the header there are numbers, any of which are right.
                kept = 128 if rng.random() < 0.5 else 0
                change = _text if rng.random() < 0.5 else _flipped
                content = content[:kept] + change(rng, content[kept:])
            with warnings.catch_warnings():
                # About two members of one name, which are meant.
                warnings.simplefilter("ignore")
                new.writestr(name if rng.random() < 0.97 else str(rng.choice(members)), content)
    return stream.getvalue()


def _safetensors(rng, data):
    (length,) = struct.unpack("<Q", data[:8])
    if rng.random() < 0.5:
        return data[: 8 + length] + _flipped(rng, data[8 + length :])
    header = _text(rng, data[8 : 8 + length])
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def _text(rng, data):
    """One number or word changed for another."""
    text = data.decode("latin-1")
    found = list(re.finditer(r"-?\d+(\.\d+)?|[A-Za-z_]+|[(){}\[\],:]", text))
    for _ in range(rng.integers(1, 3)):
        if not found:
            return _bytes(rng, data)
        place = found[int(rng.integers(len(found)))]
        other = found[int(rng.integers(len(found)))].group()
        new = str(rng.choice([*map(str, NUMBERS), "1e400", "nan", "-0.5", "0.1", "", other, other]))
        text = text[: place.start()] + new + text[place.end() :]
        found = list(re.finditer(r"-?\d+(\.\d+)?|[A-Za-z_]+|[(){}\[\],:]", text))
    return text.encode("latin-1")


_CHANGES = {
    "onnx": _onnx,
    "npz": _npz,
    "safetensors": _safetensors,
    "nnet": _text,
    "vnnlib": _text,
}


def judge(path, ending, data):
    """What became of a file: "refused", "read" and right, or "unjudged", where the independent
    reader does not know it. Raises whatever the door raises but InvalidInput, and AssertionError
    for what is read wrong."""
    path.write_bytes(data)
    try:
        read = read_boxes(path, 2) if ending == "vnnlib" else slth.read_network(path)
    except slth.InvalidInput:
        return "refused"
    if ending == "vnnlib":
        return _judged_boxes(read, data)
    network = slth.DeepNetwork.of(read)
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (3, network.d))
    points = points.astype(np.float16).astype(np.float64)
    try:
        with np.errstate(all="ignore"):
            values = _READERS[ending](path, points)
    except Exception:
        # What the independent reader does not know it meets in any way.
        return "unjudged"
    with np.errstate(all="ignore"):
        # Beyond the range of doubles too, but for what onnx's evaluator does in single precision.
        wide = ending != "onnx"
        mine = _far(network.steps, points.astype(np.longdouble).T).T if wide else network(points)
        size, accuracy = network_size(network), 1e-4
    most = np.inf
    if not wide:
        kinds = _kinds(path)
        most = _FLOAT32 if onnx.TensorProto.FLOAT in kinds else _FLOAT64
        if kinds & {onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16}:
            # Evaluated in half precision.
            accuracy, most = 0.05, 6e4
    if not np.isfinite(values).all() or not size < most:
        return "unjudged"
    assert mine.shape == values.shape
    assert (np.abs(mine - values) <= accuracy * size).all(), f"{mine} is not {values}"
    return "read"


def _far(steps, columns):
    """The network's own steps in numbers of any size, [inputs, points] -> [outputs, points]."""
    for step in steps:
        match step:
            case slth.deep.AffineMap():
                matrix = (
                    step.matrix if isinstance(step.matrix, np.ndarray) else step.matrix.toarray()
                )
                columns = matrix.astype(np.longdouble) @ columns + step.bias[:, None]
            case slth.deep.Activate():
                columns = np.maximum(columns, step.slope * columns)
            case _:
                columns = columns + _far(step.body, columns)
    return columns


def network_size(network):
    """What sums inside may reach: values are right up to a part of that."""
    size = np.longdouble(1.0)
    for step in network.affine_maps():
        rows = np.asarray(abs(step.matrix).astype(np.longdouble).sum(axis=1))
        size = rows.max(initial=0.0) * size + np.abs(step.bias).max(initial=0.0) + 1.0
    return size


def _kinds(path):
    """The types of a model's numbers."""
    model = onnx.load(path)
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    return kinds | {model.graph.input[0].type.tensor_type.elem_type}


def _onnx_values(path, points):
    return evaluated(onnx.load(path), points)


def _npz_values(path, points):
    with np.load(path, allow_pickle=False) as stored:
        return _array_values(dict(stored), points)


def _safetensors_values(path, points):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    body = data[8 + length :]
    kinds = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "BF16": "<u2"}
    described = header.pop("__metadata__")["slth"]
    arrays = {}
    for name, part in header.items():
        start, stop = part["data_offsets"]
        array = np.frombuffer(body[start:stop], kinds[part["dtype"]]).reshape(part["shape"])
        if part["dtype"] == "BF16":
            array = (array.astype("<u4") << 16).view("<f4")
        arrays[name] = array
    if described.startswith("{"):
        arrays["items"] = np.array(described)
    return _array_values(arrays, points)


def _array_values(arrays, x):
    """Networks from arrays alone, window by window."""
    arrays = {
        name: value.astype(np.longdouble) if value.dtype.kind in "fiub" else value
        for name, value in arrays.items()
    }
    if "hidden" in arrays:
        value = x @ arrays["hidden"].T + arrays.get("bias", 0.0)
        value = np.maximum(value, 0.0) @ arrays["output"][:, None] + arrays.get("output_bias", 0.0)
        return np.maximum(value, 0.0) if str(arrays.get("readout", "")) == "relu" else value
    last = str(arrays.get("last", ""))
    if "items" in arrays:
        described = json.loads(str(arrays["items"]))
        kinds, last = described["items"], last or described["last"]
        images = x.reshape(len(x), *described["input_shape"])
    else:
        numbers = sorted({int(name.split(".")[0]) for name in arrays if name[0].isdigit()})
        kinds = [{"kind": "dense", "place": number} for number in numbers]
        images = x
    rows = [_items_value(arrays, kinds, "", image).ravel() for image in images]
    values = np.stack(rows)
    return np.maximum(values, 0.0) if last == "relu" else values


def _items_value(arrays, kinds, prefix, h):
    """What a list of items makes of one vector or image."""
    bare = all(kind["kind"] in ("dense", "conv", "pool", "residual") for kind in kinds)
    for place, kind in enumerate(kinds):
        name = f"{prefix}{kind.get('place', place)}"
        if bare and place:
            h = np.maximum(h, 0.0)
        match kind["kind"]:
            case "dense":
                h = arrays[f"{name}.weight"] @ h.ravel() + arrays.get(f"{name}.bias", 0.0)
            case "conv":
                bias = arrays.get(f"{name}.bias", np.zeros(len(arrays[f"{name}.weight"])))
                maps = [
                    [[(kernel * under).sum() + shift for under in row] for row in _windows(
                        h, kernel.shape[1:], kind["stride"], kind["padding"], 0.0)]
                    for kernel, shift in zip(arrays[f"{name}.weight"], bias, strict=True)
                ]  # fmt: skip
                h = np.array(maps, np.longdouble)
            case "pool":
                sides = h.shape[1:] if kind["kernel"] is None else _pair(kind["kernel"])
                empty = 0.0 if kind["count_padding"] else np.nan
                step = kind["stride"] if kind["stride"] is not None else sides
                h = np.array([
                    [[_mean(under) for under in row] for row in _windows(
                        channel[None], sides, step, kind["padding"], empty)]
                    for channel in h
                ], np.longdouble)  # fmt: skip
            case "residual":
                h = h + _items_value(arrays, kind["body"], f"{name}.", h).reshape(h.shape)
            case "relu":
                h = np.maximum(h, 0.0)
            case "leaky":
                h = np.maximum(h, kind["slope"] * h)
            case other:
                assert other == "identity", other
    return h


def _pair(value):
    return value if isinstance(value, list | tuple) else (value, value)


def _mean(under):
    """Of what is there; of nothing, 0."""
    known = under[~np.isnan(under)]
    return known.mean() if known.size else 0.0


def _windows(h, sides, step, padding, empty):
    """Rows of what lies under a kernel of these sides, place by place."""
    top, left, bottom, right = (*_pair(padding), *_pair(padding)) if (
        not isinstance(padding, list) or len(padding) == 2) else padding  # fmt: skip
    down, across = _pair(step)
    around = np.pad(h, ((0, 0), (top, bottom), (left, right)), constant_values=empty)
    height, width = sides[-2:]
    rows = range(0, around.shape[1] - height + 1, down)
    columns = range(0, around.shape[2] - width + 1, across)
    return [[around[:, y : y + height, x : x + width] for x in columns] for y in rows]


def _nnet_values(path, x):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("//")]
    rows = [[float(part) for part in line.split(",") if part.strip()] for line in lines if line]
    layers, sizes = int(rows[0][0]), [int(size) for size in rows[1]]
    means, spreads, rest = np.array(rows[5]), np.array(rows[6]), rows[7:]
    h = (x - means[:-1]) / spreads[:-1]
    for layer in range(layers):
        outs = sizes[layer + 1]
        weight, bias, rest = (
            np.array(rest[:outs]),
            np.array(rest[outs : 2 * outs]),
            rest[2 * outs :],
        )
        h = h @ weight.T + bias[:, 0]
        if layer < layers - 1:
            h = np.maximum(h, 0.0)
    assert not rest
    return h * spreads[-1] + means[-1]


_READERS = {
    "onnx": _onnx_values,
    "npz": _npz_values,
    "safetensors": _safetensors_values,
    "nnet": _nnet_values,
}


def _judged_boxes(said, data):
    """A point satisfies what the file says of inputs just if it is in a box (which may be a float
    wider than the decimals say)."""
    bare = re.sub(r";[^\n]*", "", data.decode())
    tokens = re.findall(r"[()]|[A-Z]\w*\s*\[[^\]]*\]|[^\s()]+", bare)
    stack = [[]]
    for token in tokens:
        if token == "(":
            stack.append([])
        elif token == ")":
            part = stack.pop()
            stack[-1].append(part)
        else:
            stack[-1].append(re.sub(r"\s", "", token))
    claims = [command[1] for command in stack[0] if command[0] == "assert"]
    places = [0.0, 0.1, 0.25, 0.3, 0.5, 0.75, 1.0, -0.5, -1.0, 2.0, 7.0]
    for x in ([a, b] for a in places for b in places):
        held = all(_holds(claim, x) is not False for claim in claims)
        inside = any(
            all(low <= value <= high for low, value, high in zip(box.low, x, box.high, strict=True))
            for box in said.boxes
        )
        on_edge = any(value in (*box.low, *box.high) for box in said.boxes for value in x)
        assert held == inside or (inside and on_edge), x
    return "read"


def _holds(claim, x):
    """True, False, or None for what is about outputs."""
    kind, *rest = claim
    if kind in ("and", "or"):
        known = [value for value in (_holds(part, x) for part in rest) if value is not None]
        return (all(known) if kind == "and" else any(known)) if known else None
    if any(word[0] == "Y" for word in rest):
        return None
    left, right = (_value(word, x) for word in rest)
    return {"<=": left <= right, ">=": left >= right, "<": left < right, ">": left > right,
            "==": left == right}[kind]  # fmt: skip


def _value(word, x):
    if isinstance(word, list):
        return -Fraction(word[1])
    if word[0] == "X":
        return Fraction(x[int(re.findall(r"\d+", word)[-1])])
    return Fraction(word)
