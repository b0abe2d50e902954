"""Boxes of VNN-LIB files, versions 1 and 2."""

import itertools
import json
import math
from fractions import Fraction

import numpy as np
import pytest
import vnnlib

import slth
from slth.cli import main
from slth.doors.vnnlib import read_boxes


def read(tmp_path, text, inputs=2):
    path = tmp_path / "spec.vnnlib"
    path.write_text(text)
    said = read_boxes(path, inputs)
    return [(list(box.low), list(box.high)) for box in said.boxes], said.unused


DECLARED = "".join(f"(declare-const X_{k} Real)\n" for k in range(2)) + "(declare-const Y_0 Real)\n"
UNIT = "(assert (>= X_0 0)) (assert (<= X_0 1.0)) (assert (>= X_1 -1)) (assert (<= X_1 2.5e-1))\n"


def test_version_1(tmp_path):
    boxes, unused = read(tmp_path, f"; a comment (\n{DECLARED}{UNIT}(assert (<= Y_0 3.5))\n")
    assert boxes == [([0.0, -1.0], [1.0, 0.25])]
    assert unused == ("(<= Y_0 3.5)",)


def test_a_disjunction_is_one_box_each(tmp_path):
    text = f"""{UNIT}
    (assert (or (and (<= X_0 0.25) (>= Y_0 1)) (and (>= X_0 0.5) (<= 0.0 X_1)) (<= X_0 -3)))
    """
    boxes, unused = read(tmp_path, text)
    assert boxes == [([0.0, -1.0], [0.25, 0.25]), ([0.5, 0.0], [1.0, 0.25])]
    assert unused == ("(>= Y_0 1)",)


V2 = """(vnnlib-version <2.0>)
(declare-network f
  (declare-input X real [1, 2])
  (declare-output Y real [1,2]))
"""


def test_version_2(tmp_path):
    text = (
        V2
        + """
    (assert (and (<= X[0,0] 1.0) (>= X [0, 0] 0.0) (== X[0,1] 0.5)))
    (assert (or (<= X[0,0] 0.25) (>= X[0,0] 0.75)))
    (assert (<= Y[0,0] Y[0,1]))
    """
    )
    vnnlib.parse_query_string(text)
    boxes, unused = read(tmp_path, text)
    assert boxes == [([0.0, 0.5], [0.25, 0.5]), ([0.75, 0.5], [1.0, 0.5])]
    assert unused == ("(<= Y[0,0] Y[0,1])",)


def bounds_of(text, inputs):
    """The boxes by the library's own parser, whose disjunctive normal form is taken apart here."""
    signs = {"LessEqual": 1, "LessThan": 1, "GreaterEqual": 0, "GreaterThan": 0}
    choices = []
    for assertion in vnnlib.parse_query_string(text).assertions:
        choices.append(assertion.expr.to_dnf())
    boxes = []
    for parts in itertools.product(*choices):
        low, high = [-math.inf] * inputs, [math.inf] * inputs
        for part in itertools.chain(*parts):
            end = signs[type(part).__name__]
            index = part.lhs.indices[-1]
            value = part.rhs.value
            if end:
                high[index] = min(high[index], value)
            else:
                low[index] = max(low[index], value)
        if all(a <= b for a, b in zip(low, high, strict=True)):
            boxes.append((low, high))
    return boxes


def test_version_2_is_read_as_the_library_reads_it(tmp_path):
    rng = np.random.default_rng(0)
    for _ in range(20):
        shape = (1, int(rng.integers(1, 4)))
        lines = [V2.replace("[1, 2]", f"[1, {shape[1]}]")]
        for k in range(shape[1]):
            lines.append(f"(assert (>= X[0,{k}] {-rng.integers(1, 9)}.5))")
            lines.append(f"(assert (<= X[0,{k}] {rng.integers(1, 9)}.25))")
        for _ in range(rng.integers(0, 3)):
            k = rng.integers(shape[1])
            lines.append(f"(assert (or (<= X[0,{k}] -0.5) (> X[0,{k}] 0.75)))")
        text = "\n".join(lines)
        boxes, unused = read(tmp_path, text, shape[1])
        assert unused == ()
        assert sorted(boxes) == sorted(bounds_of(text, shape[1]))


def test_decimals_between_two_floats_go_outward(tmp_path):
    for text in ("0.1", "0.2", "0.3", "1e-3", "123456789.123456789", "-0.7", "0.5", "1e-400"):
        written = Fraction(text)
        ((low,), (high,)), = read(tmp_path, f"(assert (== X_0 {text}))", 1)[0]  # fmt: skip
        assert Fraction(low) <= written <= Fraction(high)
        exact = Fraction(float(text)) == written
        assert high == (low if exact else math.nextafter(low, math.inf))
    assert read(tmp_path, "(assert (== X_0 (- 1.5)))", 1)[0] == [([-1.5], [-1.5])]


BAD = {
    "no bounds": DECLARED,
    "one bound": "(assert (<= X_0 1))",
    "a relation of inputs": UNIT + "(assert (<= X_0 X_1))",
    "arithmetic": UNIT + "(assert (<= (+ X_0 X_1) 1))",
    "not equal": UNIT + "(assert (!= X_0 0.5))",
    "an input too many": UNIT + "(assert (<= X_2 1))",
    "no point": UNIT + "(assert (>= X_0 2))",
    "a word": UNIT + "(assert (<= X_0 one))",
    "nan": UNIT + "(assert (<= X_0 nan)) (assert (>= X_0 nan))",
    "infinite": "(assert (<= X_0 inf)) (assert (>= X_0 0)) (assert (== X_1 0))",
    "a bracket too many": UNIT + ")",
    "a bracket open": UNIT + "(assert",
    "a word outside": UNIT + "word",
    "an assertion of nothing": UNIT + "(assert)",
    "an empty claim": UNIT + "(assert (or (<= X_0 1) ()))",
    "deep": "(assert " + "(and " * 50_000 + "(<= X_0 1)" + ")" * 50_001,
    "many boxes": UNIT + "(assert (or (<= X_0 1) (<= X_0 0.5)))" * 20,
    "several networks": V2 + V2.replace(" f", " g") + UNIT,
    "two inputs": V2.replace("(declare-output", "(declare-input Z real [1,2]) (declare-output"),
    "another shape": V2.replace("[1, 2]", "[1, 3]"),
    "indices outside": V2 + "(assert (<= X[0,2] 1.0))",
    "too few indices": V2 + "(assert (<= X[0] 1.0))",
    "about nothing": UNIT + "(assert (<= 1 0.5))",
    "about nothing, in an alternative": UNIT + "(assert (or (<= X_0 1) (and (>= 0 1) (<= X_1 0))))",
    "a half declaration": "(declare-network f (declare-input X))",
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_what_is_no_box_is_refused(tmp_path, text):
    with pytest.raises(slth.InvalidInput, match="VNN-LIB file not usable"):
        read(tmp_path, text)


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(slth.InvalidInput, match="no such file"):
        read_boxes(tmp_path / "none.vnnlib", 2)
    (tmp_path / "x.vnnlib").write_bytes(b"\xff\xfe(")
    with pytest.raises(slth.InvalidInput, match="unreadable"):
        read_boxes(tmp_path / "x.vnnlib", 2)


def test_two_onnx_files_on_the_boxes_of_a_file(tmp_path, capsys):
    rng = np.random.default_rng(0)
    layers = [
        slth.Dense(rng.normal(size=(6, 2)), rng.normal(size=6)),
        slth.Dense(rng.normal(size=(4, 6)) * 0.4, rng.normal(size=4)),
        slth.Dense(rng.normal(size=(3, 4)) * 0.4),
    ]
    near = [slth.Dense(layer.weight * (1.0 + 1e-4), layer.bias) for layer in layers]
    one, other = slth.DeepNetwork(layers), slth.DeepNetwork(near)
    slth.write_network(one, tmp_path / "a.onnx")
    slth.write_network(other, tmp_path / "b.onnx")
    spec = tmp_path / "box.vnnlib"
    spec.write_text(UNIT + "(assert (or (<= X_0 0.25) (>= X_0 0.5))) (assert (<= Y_0 3))")
    x = np.vstack([rng.uniform([0.0, -1.0], [0.25, 0.25], (500, 2)),
                   rng.uniform([0.5, -1.0], [1.0, 0.25], (500, 2))])  # fmt: skip
    seen = float(np.abs(one(x) - other(x)).max())
    args = ["certify", str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx"), "--spec", str(spec)]
    for eps, code in (("0.05", 0), ("1e-6", 1)):
        with pytest.raises(SystemExit) as done:
            main([*args, "--eps", eps, "--json"])
        said, notes = capsys.readouterr()
        result = json.loads(said)
        assert done.value.code == code
        assert result["holds"] is (code == 0)
        assert "read 2-6-4-3, relu between, nothing after the last" in notes
        assert "not used, about outputs: (<= Y_0 3)" in notes
    with pytest.raises(SystemExit):
        main([*args, "--json"])
    result = json.loads(capsys.readouterr().out)
    assert seen <= result["upper"] <= 1.1 * seen + 1e-6
    assert result["lower"] >= 0.9 * seen


# Commands and claims that say something else than a box, or might.
OTHERS = {
    "(define-fun X_0 () Real 0.5)": "a command",
    "(push 1)": "a command",
    "(exit)(assert (<= X_0 0.5))": "a command",
    "(declare-const X_0 Int)": "no real number",
    "(declare-fun X_0 (Real) Real)": "no real number",
    "(vnnlib-version <3.0>)": "a version",
    "(assert (<= X_01 0.5))": "neither inputs nor outputs",
    "(assert (<= |X_0| 0.5))": "neither inputs nor outputs",
    "(assert (<= X_0 (/ 1 3)))": r"\(<= X_0 \(/ 1 3\)\) about inputs that is no box",
    "(assert (<= (+ X_0 X_1) 1))": "that is no box",
    "(assert (not (<= X_0 0.5)))": r"\(not \(<= X_0 0.5\)\) about inputs that is no box",
    "(assert (<= 0 X_0 1))": "that is no box",
    "(assert (! (<= X_0 0.5) :named a))": "that is no box",
    "(assert (<= X_0 Y_0))": "that is no box",
    "(assert (or (<= X_0 0.5) (<= Y_0 0)))": r"\(<= Y_0 0\) about inputs that is no box",
    "(assert (<= X_0 0.5) (<= X_1 0.5))": "2 claims",
    "(assert (<= X_0 1e999))": "a bound 1e999",
    "(assert (<[ X_0 0.5))": "without its pair",
    "(assert (<= X_0 0.5]))": "without its pair",
    "(assert (<= X_0 0.5[0))": "without its pair",
    "(assert (<= X_0 [[1]]))": "without its pair",
}


@pytest.mark.parametrize(("text", "said"), OTHERS.items(), ids=OTHERS)
def test_what_is_no_box_is_refused_in_its_own_words(tmp_path, text, said):
    with pytest.raises(slth.InvalidInput, match=said):
        read(tmp_path, DECLARED + UNIT + text)


@pytest.mark.parametrize(
    "text",
    [
        '(set-info :source "(assert (<= X_0 0.5)) ; ")',
        "(set-info :source |(assert (<= X_0 0.5)) ; (|)",
        '; "\n',
        "(set-logic QF_LRA)",
        "(declare-fun Z () Real)",
        "(check-sat)(get-model)(exit)",
    ],
)
def test_what_says_nothing_of_inputs_changes_nothing(tmp_path, text):
    assert read(tmp_path, DECLARED + UNIT + text) == read(tmp_path, DECLARED + UNIT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(declare-input X real [1, 2])", "(declare-input X int8 [1, 2])"),
        ("(declare-input X real [1, 2])", "(isomorphic-to g) (declare-input X real [1, 2])"),
        ("<2.0>", "<3.0>"),
    ],
)
def test_version_2_of_other_kinds(tmp_path, old, new):
    claims = "(assert (and (<= X[0,0] 1.0) (>= X[0,0] 0.0) (== X[0,1] 0.5)))"
    assert read(tmp_path, V2 + claims)[0] == [([0.0, 0.5], [1.0, 0.5])]
    with pytest.raises(slth.InvalidInput, match="VNN-LIB"):
        read(tmp_path, V2.replace(old, new) + claims)
