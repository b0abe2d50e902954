"""Faults put into a copy of the sources on purpose: which of them do the tests not find?

`python -m benchmarks.mutants [WORD]` (default: all; WORD: those whose file or name holds it). Each
mutant changes one place of one file in a scratch copy of src/ and tests/ and runs the tests that
must find it; a mutant that survives is a term or a branch that no test forces. Exit code 1 if one
does. A mutant whose text is no longer in its file is an error: mend the list.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import show

ROOT = Path(__file__).resolve().parents[1]
# Seconds after which a mutant that makes the tests run on counts as found.
_PATIENCE = 900.0


@dataclass(frozen=True)
class Mutant:
    """One fault: in `file` (below src/slth), `old` becomes `new`; `tests` must find it."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


_EMBED = ("tests/embed/test_certificate.py",)
_PRUNING = ("tests/pruning/neurons/test_terms.py",)
_DEEP = ("tests/certify/deep/test_terms.py", "tests/certify/deep/test_rounding.py")
_PAIRS = ("tests/check_pair/test_terms.py",)
_CHAINS = ("tests/certify/deep/test_chains.py",)
_KINKS = ("tests/certify/deep/test_kinks.py",)
_PATTERNS = ("tests/certify/test_patterns.py",)
_MASKS = ("tests/pruning/neurons/test_enumeration.py",)
_FOLD = ("tests/pruning/trained/test_fold.py",)
_ZONAL = ("tests/pruning/neurons/test_zonal_terms.py", "tests/pruning/neurons/test_zonal.py")
_PIECES = ("tests/pruning/neurons/test_zonal.py",)
_LATITUDES = ("tests/test_check_zonal_terms.py",)
_FEW = ("tests/pruning/neurons/test_few.py",)
_WEIGHTED = ("tests/theory/test_weighted_units.py",)

_SPARSE = ("tests/pruning/trained/test_sparse.py",)
_PAIRED = ("tests/embed/test_paired.py",)

MUTANTS = [
    Mutant(
        "inner products that underflow in features",
        "pruning/neurons/problem.py",
        "return _far_from_underflow(self.net), _far_from_underflow(self.target)",
        "return self.net, self.target",
        _MASKS,
    ),
    Mutant(
        "kinks: what a dual value rounds",
        "certify/deep/kinks/sums.py",
        "2.0 * terms * UNIT * size + ",
        "",
        _KINKS,
    ),
    Mutant(
        "kinks: rounding of multipliers that cancel",
        "certify/deep/kinks/sums.py",
        " + np.abs(multipliers) @ self._row_sizes",
        "",
        _KINKS,
    ),
    Mutant(
        "kinks: the slack of a sum",
        "certify/deep/kinks/sums.py",
        "+ self.slack[which]) + TINY",
        ") + TINY",
        _KINKS,
    ),
    Mutant(
        "kinks: a kink that may bend is 0 in between",
        "certify/deep/kinks/sums.py",
        "np.where((low < 0.0) & (high > 0.0), np.maximum(best, 0.0), best)",
        "best",
        _KINKS,
    ),
    Mutant(
        "kinks: multipliers that overflow",
        "certify/deep/kinks/sums.py",
        "return total if np.isfinite(total) else np.inf",
        "return total",
        _KINKS,
    ),
    Mutant(
        "kinks: what folding rounds",
        "certify/deep/kinks/folded.py",
        "4.0 * terms * UNIT * (",
        "0.0 * terms * UNIT * (",
        _KINKS,
    ),
    Mutant(
        "kinks: inexact weights of the outer layer",
        "certify/deep/kinks/folded.py",
        "off = off + V_off @ (size + moved)",
        "off = off + V_off @ (0.0 * moved)",
        _KINKS,
    ),
    Mutant(
        "kinks: inexact biases of the outer layer",
        "certify/deep/kinks/folded.py",
        "off = outer.bias_off + np.abs(V) @ moved",
        "off = np.abs(V) @ moved",
        _KINKS,
    ),
    Mutant(
        "kinks: inexact hidden layers",
        "certify/deep/kinks/folded.py",
        "off = outer.bias_off + np.abs(V) @ moved",
        "off = outer.bias_off",
        _KINKS,
    ),
    Mutant(
        "kinks: inexact biases of the hidden layer",
        "certify/deep/kinks/folded.py",
        "is None else inner.bias_off + ",
        "is None else 0.0 * inner.bias_off + ",
        _KINKS,
    ),
    Mutant(
        "values two eps apart of a constant",
        "pruning/trained/least.py",
        "bound = 2.0 * (eps + parts.margin(points))",
        "bound = eps + parts.margin(points)",
        _SPARSE,
    ),
    Mutant(
        "an input that moves outputs by two eps",
        "pruning/trained/least.py",
        "> 2.0 * (eps + parts.margin(both))",
        "> eps + parts.margin(both)",
        _SPARSE,
    ),
    Mutant(
        "what weights of a residual body are known up to",
        "pruning/trained/evaluated.py",
        "off + more_off",
        "off",
        _SPARSE,
    ),
    Mutant(
        "dead units' weights that always go",
        "pruning/trained/idle.py",
        "hidden.split(~unread)",
        "hidden.split(free.needed)",
        _SPARSE,
    ),
    Mutant(
        "a box to one side of a ball's center",
        "certify/deep/region.py",
        "self.low >= ball.center, self.high <= ball.center",
        "self.high >= ball.center, self.low <= ball.center",
        _PAIRED,
    ),
    Mutant(
        "the side that draws a ball's bound",
        "certify/deep/region.py",
        "above[:, None, :] & (rows < 0.0)",
        "above[:, None, :] & (rows > 0.0)",
        _PAIRED,
    ),
    Mutant(
        "the negative side of inputs",
        "embed/paired.py",
        "np.concatenate([eye, -eye])",
        "np.concatenate([eye, eye])",
        _PAIRED,
    ),
    Mutant(
        "zonal: the error of a piece",
        "pruning/neurons/zonal/seen.py",
        "seen = value + errors[c] + blur",
        "seen = value + blur",
        _ZONAL,
    ),
    Mutant(
        "zonal: the blur of an angle",
        "pruning/neurons/zonal/seen.py",
        "seen = value + errors[c] + blur",
        "seen = value + errors[c]",
        _ZONAL,
    ),
    Mutant(
        "zonal: half of an angle's slack",
        "pruning/neurons/zonal/seen.py",
        "return 0.5 * slack + 8.0 * UNIT",
        "return 0.2 * slack + 8.0 * UNIT",
        _ZONAL,
    ),
    Mutant(
        "zonal: the rounding of a place in its piece",
        "pruning/neurons/zonal/seen.py",
        "return 0.5 * slack + 8.0 * UNIT",
        "return 0.5 * slack",
        _ZONAL,
    ),
    Mutant(
        "zonal: the sum's own rounding",
        "pruning/neurons/zonal/seen.py",
        "return 1.0 + (count + 64) * 2.0 * UNIT",
        "return 1.0",
        _ZONAL,
    ),
    Mutant(
        "zonal: the sign of a unit",
        "pruning/neurons/zonal/seen.py",
        "        if alphas[i] < 0.0:\n            value = -value\n",
        "",
        _ZONAL,
    ),
    Mutant(
        "zonal: errors of pieces in the table",
        "pruning/neurons/zonal/seen.py",
        "off += errors[c] + blur",
        "off += blur",
        _ZONAL,
    ),
    Mutant(
        "zonal: how the table's cells move",
        "pruning/neurons/zonal/seen.py",
        "off = steep * (0.5 * (last - first) + 2.0**-50) * (1.0 + 2.0**-40)",
        "off = 0.0",
        _ZONAL,
    ),
    Mutant(
        "zonal: the sign of a far unit",
        "pruning/neurons/zonal/seen.py",
        "total -= alphas[i] * low[cell]",
        "total -= alphas[i] * high[cell]",
        _ZONAL,
    ),
    Mutant(
        "zonal: roundings of what is reached",
        "pruning/neurons/zonal/screening.py",
        "(total * (1.0 - 8.0 * UNIT) - spent)",
        "(total - spent)",
        _ZONAL,
    ),
    Mutant(
        "zonal: the target that a kept unit meets",
        "pruning/neurons/zonal/screening.py",
        "spent += most_seen(table.profile, to_target, setting.slack, np.array([sign]))",
        "spent += 0.0",
        _ZONAL,
    ),
    Mutant(
        "zonal: partners of a kept unit have the other sign",
        "pruning/neurons/zonal/screening.py",
        "alphas = -sign * setting.alphas",
        "alphas = sign * setting.alphas",
        _ZONAL,
    ),
    Mutant(
        "zonal: a bound without units holds below its cutoff",
        "pruning/neurons/zonal/screening.py",
        "value = min(cutoff, _difference(profile.total, spent))",
        "value = _difference(profile.total, spent)",
        _ZONAL,
    ),
    Mutant(
        "zonal: a kink left out of a piece",
        "theory/zonal/taylor.py",
        "error += loose.upper()",
        "error += 0",
        _PIECES,
    ),
    Mutant(
        "zonal: what a piece's Taylor series leaves",
        "theory/zonal/taylor.py",
        "            error += rest.upper()\n",
        "            error += 0\n",
        _PIECES,
    ),
    Mutant(
        "zonal check: what a cell before a kink leaves",
        "latitudes.py",
        "* half**_TERMS / math.factorial(_TERMS)\n            error += rest.upper()",
        "* half**_TERMS / math.factorial(_TERMS)",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: what a cell beyond a kink leaves",
        "latitudes.py",
        "total += ring.weight * ring.jet(middle)\n            error += rest.upper()",
        "total += ring.weight * ring.jet(middle)",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: what a cell over a kink leaves",
        "latitudes.py",
        "        error += loose.upper()\n",
        "",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: errors of cells",
        "latitudes.py",
        "            value += arb(0, 1) * cell.error\n",
        "",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: pieces of cells",
        "latitudes.py",
        "/ _PIECES + arb(0, 1) / _PIECES",
        "/ _PIECES",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: the side of a total",
        "latitudes.py",
        "return Moments(_below(total), _above(variation))",
        "return Moments(_above(total), _above(variation))",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: the side of a variation",
        "latitudes.py",
        "return Moments(_below(total), _above(variation))",
        "return Moments(_below(total), _below(variation))",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: the rounding of a sine",
        "zonal_check.py",
        "off = (16 * axis.shape[0] + 128) * _U",
        "off = 0.0",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: both cells at an end",
        "zonal_check.py",
        "high = np.maximum(table.high[first], table.high[last])",
        "high = table.high[first]",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: both cells at an end, from below",
        "zonal_check.py",
        "low = np.minimum(table.low[first], table.low[last])",
        "low = table.low[last]",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: the sum's rounding",
        "zonal_check.py",
        "most * (1.0 + 2.0 * (count + 64) * _U) + count * _TINY",
        "most",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: what only just reaches",
        "zonal_check.py",
        "bool(reached * (1.0 - 4.0 * _U) >= needed",
        "bool(reached * (1.0 + 12.0 * _U) >= needed",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: the least size of a unit",
        "zonal_check.py",
        "slack = 16 * (self.rows.shape[1] + 16) * _U",
        "slack = 0.0",
        _LATITUDES,
    ),
    Mutant(
        "zonal check: the largest size of a unit",
        "zonal_check.py",
        "lengths = largest * norms * (1.0 + 2 * (d + 8) * _U) + _TINY",
        "lengths = largest * norms * (1.0 - 2 * (d + 8) * _U)",
        _LATITUDES,
    ),
    Mutant(
        "few units: the limit on units",
        "pruning/neurons/flips.py",
        "barred[i] = fixed[i] or (size >= most and not trial[i])",
        "barred[i] = fixed[i]",
        _FEW,
    ),
    Mutant(
        "few units: a flip is judged at every point",
        "pruning/neurons/flips.py",
        "            if worst >= least:\n                break\n        if worst < least:",
        "            break\n        if worst < least:",
        _FEW,
    ),
    Mutant(
        "weighted units: the bend between points",
        "theory/weighted_units.py",
        " + bend / (8.0 * _STEPS**2) * (1 + 1e-9) + rounding",
        "",
        _WEIGHTED,
    ),
    Mutant(
        "weighted units: the sign of a multiplier",
        "theory/weighted_units.py",
        "return -size if k and k % 4 == 0 else size",
        "return size",
        _WEIGHTED,
    ),
    Mutant(
        "weighted units: the square of phi",
        "theory/weighted_units.py",
        "total(h * h / harmonic_count(d, k)",
        "total(h * h / harmonic_count(d, k) / 2",
        _WEIGHTED,
    ),
    Mutant(
        "what rounding takes from a mask's bound",
        "pruning/neurons/enumeration.py",
        "        values -= self._off\n",
        "",
        _MASKS,
    ),
    Mutant(
        "a mask's bound where the rectifier cuts",
        "pruning/neurons/enumeration.py",
        "            np.maximum(values, 0.0, out=values)\n",
        "            pass\n",
        _MASKS,
    ),
    Mutant(
        "what rounding adds to a pattern's bound",
        "certify/patterns.py",
        "np.sqrt(squares) + self.slack",
        "np.sqrt(squares)",
        _PATTERNS,
    ),
    Mutant(
        "products with the units left of a pattern",
        "certify/patterns.py",
        "norms * norms + 2.0 * across +",
        "norms * norms +",
        _PATTERNS,
    ),
    Mutant(
        "the units left of a pattern",
        "certify/patterns.py",
        " + self.rest[fixed] ** 2",
        "",
        _PATTERNS,
    ),
    Mutant(
        "tau within its ends",
        "certify/patterns.py",
        "* problem.pace, -1.0), 1.0)",
        "* problem.pace, -2.0), 2.0)",
        _PATTERNS,
    ),
    Mutant(
        "tau within its ends after least squares",
        "certify/patterns.py",
        "/ then[free], -1.0, 1.0)",
        "/ then[free], -9.0, 9.0)",
        _PATTERNS,
    ),
    Mutant(
        "lambda within its ends",
        "certify/patterns.py",
        "share = np.clip(self.share - share, 0.0, 1.0)",
        "share = self.share - share",
        _PATTERNS,
    ),
    Mutant(
        "patterns that are left when the search ends",
        "certify/patterns.py",
        "max(proven, float(uppers.max()))",
        "proven",
        _PATTERNS,
    ),
    Mutant(
        "what patterns that were dropped may reach",
        "certify/patterns.py",
        "proven = max(proven, float(uppers[~left].max(initial=0.0)))",
        "pass",
        _PATTERNS,
    ),
    Mutant(
        "what a folded row's remainder rounds",
        "pruning/trained/fold.py",
        "(np.abs(left) + unit * left_size + TINY)",
        "np.abs(left)",
        _FOLD,
    ),
    Mutant(
        "what is left of a folded row",
        "pruning/trained/fold.py",
        "(np.abs(left) + unit * left_size + TINY)",
        "(unit * left_size + TINY)",
        _FOLD,
    ),
    Mutant(
        "what a folded unit's shift rounds",
        "pruning/trained/fold.py",
        "@ reach + off",
        "@ reach",
        _FOLD,
    ),
    Mutant(
        "what folding rounds in weights",
        "pruning/trained/fold.py",
        "off[:, basis] = unit *",
        "off[:, basis] = 0.0 *",
        _FOLD,
    ),
    Mutant(
        "what folding rounds in biases",
        "pruning/trained/fold.py",
        "bias_off = unit *",
        "bias_off = 0.0 *",
        _FOLD,
    ),
    Mutant(
        "what folded units leave in biases",
        "pruning/trained/fold.py",
        " + size @ delta * (1.0 + unit)",
        "",
        _FOLD,
    ),
    Mutant(
        "what the image's products round",
        "check_pair/values.py",
        "spread = (reach + slack * size) @",
        "spread = reach @",
        _PAIRS,
    ),
    Mutant(
        "products that underflow in the image",
        "check_pair/values.py",
        "widened(spread * (1.0 + 2.0 * slack) + LEAST)",
        "widened(spread)",
        _PAIRS,
    ),
    Mutant(
        "the bias of the image",
        "check_pair/values.py",
        "spread + slack * np.abs(part.bias) + part.bias_off",
        "spread + part.bias_off",
        _PAIRS,
    ),
    Mutant(
        "what a bias is known up to",
        "check_pair/values.py",
        "slack * np.abs(part.bias) + part.bias_off",
        "slack * np.abs(part.bias)",
        _PAIRS,
    ),
    Mutant(
        "what a weight is known up to, in the image",
        "check_pair/values.py",
        "spread = spread + size @ part.off.T",
        "pass",
        _PAIRS,
    ),
    Mutant(
        "a scaled activation",
        "check_pair/values.py",
        "0.0, 2.0 * UNIT * np.abs(low))",
        "0.0, 0.0 * low)",
        _PAIRS,
    ),
    Mutant(
        "the room of a difference of activations",
        "check_pair/values.py",
        "room = 8.0 * UNIT * (net.size + target.size + np.abs(most)) + LEAST",
        "room = 0.0",
        _PAIRS,
    ),
    Mutant(
        "the chord's room",
        "check_pair/lines.py",
        "np.where(fixed, 0.0, ends + room)",
        "np.where(fixed, 0.0, ends)",
        _PAIRS,
    ),
    Mutant(
        "the room above a difference",
        "check_pair/lines.py",
        "slope * low - rise * low) + room\n    fall",
        "slope * low - rise * low)\n    fall",
        _PAIRS,
    ),
    Mutant(
        "the room below a difference",
        "check_pair/lines.py",
        "low - fall * low) - room",
        "low - fall * low)",
        _PAIRS,
    ),
    Mutant(
        "which end the activation of a difference takes",
        "check_pair/values.py",
        "np.where(rising, net.high, net.low)",
        "net.high",
        _PAIRS,
    ),
    Mutant(
        "what coefficients round in maps",
        "check_pair/leaves.py",
        "off = slack * (size @ abs(part.weight).T)",
        "off = 0.0 * (size @ abs(part.weight).T)",
        _PAIRS,
    ),
    Mutant(
        "what a weight is known up to, on the way back",
        "check_pair/leaves.py",
        "off = off + size @ part.off.T",
        "pass",
        _PAIRS,
    ),
    Mutant(
        "the sum of constants",
        "check_pair/leaves.py",
        "2.0 * UNIT * (np.abs(self._constant) + np.abs(part))",
        "0.0",
        _PAIRS,
    ),
    Mutant(
        "the products at the inputs",
        "check_pair/leaves.py",
        "off = terms * _dot(np.abs(rows), size)",
        "off = 0.0 * _dot(np.abs(rows), size)",
        _PAIRS,
    ),
    Mutant(
        "the ball's products",
        "check_pair/leaves.py",
        "best = np.minimum(best, around + lost * _SUMS)",
        "best = np.minimum(best, around)",
        _PAIRS,
    ),
    Mutant(
        "the skip's error is lost",
        "embed/certificate.py",
        "apart = up(outer.apart + inner.apart)",
        "apart = up(inner.apart)",
        _EMBED,
    ),
    Mutant(
        "the negative side's upper end",
        "embed/reach.py",
        "np.concatenate([np.maximum(high, zero), np.maximum(-low, zero)])",
        "np.concatenate([np.maximum(high, zero), np.maximum(-high, zero)])",
        _EMBED,
    ),
    Mutant(
        "the image's rounding",
        "embed/certificate.py",
        "off = up(rounding + 4.0 * UNIT * (np.abs(image) + np.abs(bias)))",
        "off = up(0.0 * rounding)",
        _EMBED,
    ),
    Mutant(
        "the error image's rounding",
        "embed/certificate.py",
        "offset = up(np.abs(centre) + rounding + layer.bias_error)",
        "offset = up(np.abs(centre) + layer.bias_error)",
        _EMBED,
    ),
    Mutant(
        "the last cell of a meeting",
        "pruning/neurons/plane/wedge.py",
        "math.floor(mirror + 1.0 + PAD) + 1)",
        "math.floor(mirror + 1.0 + PAD))",
        _PRUNING,
    ),
    Mutant(
        "the ReLU readout of a judged prefix",
        "pruning/neurons/judging.py",
        "values = sums if problem.linear else np.maximum(sums, 0.0)",
        "values = sums",
        _PRUNING,
    ),
    Mutant(
        "the wider ticket is kept",
        "lab/measure.py",
        "needed < best.found",
        "needed > best.found",
        ("tests/lab/test_width.py",),
    ),
    Mutant(
        "the slack of counted subsets",
        "pruning/weights/counted.py",
        "(best * unit * (1.0 - 1e-12) - slack)",
        "(best * unit * (1.0 - 1e-12))",
        ("tests/pruning/weights/test_counted.py",),
    ),
    Mutant(
        "a bound is rounded up to the radius",
        "pruning/race.py",
        "scaled_down(self._bound, self._radius)",
        "scaled_up(self._bound, self._radius)",
        ("tests/pruning/test_race.py",),
    ),
    Mutant(
        "the guard of multipliers with a ReLU readout",
        "pruning/neurons/dual.py",
        "(f - f_error < cutoff)",
        "(f - f_error < -math.inf)",
        _PRUNING,
    ),
    Mutant(
        "a rung proves no more than its cutoff",
        "pruning/neurons/rung.py",
        "race.prove(min(cutoff, outcome.bound)",
        "race.prove(outcome.bound",
        _PRUNING,
    ),
    Mutant(
        "the gradient's error on the circle",
        "certify/exact/circle.py",
        "return upper + 2.0 * error,",
        "return upper,",
        ("tests/certify/test_circle.py",),
    ),
    Mutant(
        "the chart's slack",
        "certify/enclose_domain.py",
        "slack = 2.0 * (network.d + 4) * UNIT * mass + TINY * (1.0 + mass)",
        "slack = 0.0 * mass",
        ("tests/certify/test_domains.py",),
    ),
    Mutant(
        "a float above a ball",
        "theory/arithmetic.py",
        "return math.nextafter(float(value.upper()), math.inf)",
        "return float(value.upper())",
        ("tests/theory/test_arithmetic.py",),
    ),
    Mutant(
        "norms of a refutation's points are rounded up",
        "check.py",
        "isqrt((x @ x) << 128) + 1",
        "isqrt((x @ x) << 128)",
        ("tests/test_check_refutation.py",),
    ),
    Mutant(
        "forward: rounding of a product",
        "certify/deep/forward.py",
        "off = 2.0 * (part.terms + 8) * UNIT * size + part.terms * _LEAST",
        "off = 0.0 * size + part.terms * _LEAST",
        _DEEP,
    ),
    Mutant(
        "forward: underflow",
        "certify/deep/forward.py",
        "UNIT * size + part.terms * _LEAST",
        "UNIT * size",
        _DEEP,
    ),
    Mutant(
        "forward: stated rounding of weights",
        "certify/deep/forward.py",
        "off = off + (np.abs(center) + reach) @ part.off.T",
        "off = off + 0.0",
        _DEEP,
    ),
    Mutant(
        "forward: stated rounding of biases",
        "certify/deep/forward.py",
        "off = off + part.bias_off",
        "off = off + 0.0",
        _DEEP,
    ),
    Mutant(
        "backward: rounding of one step",
        "certify/deep/backward.py",
        "return (2.0 * terms * UNIT * size + off)",
        "return (off)",
        _DEEP,
    ),
    Mutant(
        "backward: stated rounding of one step",
        "certify/deep/backward.py",
        "return (2.0 * terms * UNIT * size + off)",
        "return (2.0 * terms * UNIT * size)",
        _DEEP,
    ),
    Mutant(
        "backward: the room above a chord",
        "certify/deep/backward.py",
        "np.where(mixed, ends + room, zero)",
        "np.where(mixed, ends, zero)",
        _DEEP,
    ),
    Mutant(
        "backward: rounding of bends",
        "certify/deep/backward.py",
        "else 2.0 * (len(part) + 16) * UNIT * part",
        "else 0.0 * part",
        _DEEP,
    ),
    Mutant(
        "backward: the last sums",
        "certify/deep/backward.py",
        "return total + 4.0 * UNIT * (np.abs(top) + np.abs(self.constant) + self.off)",
        "return total",
        _DEEP,
    ),
    Mutant(
        "backward: coefficients at the inputs",
        "certify/deep/backward.py",
        "off = off + 4.0 * UNIT * (np.abs(total) @ largest)",
        "off = off + 0.0",
        _DEEP,
    ),
    Mutant(
        "chains: rounding of a product",
        "certify/deep/chain_kernels.py",
        "off += 2.0 * (terms + 8) * UNIT * size + terms * _LEAST",
        "off += 0.0 * size + terms * _LEAST",
        _CHAINS,
    ),
    Mutant(
        "chains: underflow",
        "certify/deep/chain_kernels.py",
        "UNIT * size + terms * _LEAST",
        "UNIT * size",
        _CHAINS,
    ),
    Mutant(
        "chains: stated rounding of weights",
        "certify/deep/chain_kernels.py",
        "off += (abs(center[j]) + reach[j]) * part.off[start + j]",
        "off += 0.0",
        _CHAINS,
    ),
    Mutant(
        "chains: stated rounding of biases",
        "certify/deep/chain_kernels.py",
        "off += part.bias_off[first + i]",
        "off += 0.0",
        _CHAINS,
    ),
    Mutant(
        "chains: rounding on a box",
        "certify/deep/chain_kernels.py",
        "best = middle + spread + 2.0 * terms * UNIT * (size + spread)",
        "best = middle + spread",
        _CHAINS,
    ),
    Mutant(
        "chains: rounding on a ball",
        "certify/deep/chain_kernels.py",
        "around += length + 2.0 * terms * UNIT * (size + length) + TINY",
        "around += length",
        _CHAINS,
    ),
    Mutant(
        "chains: the last sums",
        "certify/deep/chain_kernels.py",
        "return (top + constant + off) + 4.0 * UNIT * (abs(top) + abs(constant) + off)",
        "return top + constant + off",
        _CHAINS,
    ),
    Mutant(
        "chains: coefficients at the inputs",
        "certify/deep/chain_kernels.py",
        "off = (off + 4.0 * UNIT * rounded) * (1.0 + 2.0**-40)",
        "off = off * (1.0 + 2.0**-40)",
        _CHAINS,
    ),
    Mutant(
        "chains: the room above a chord",
        "certify/deep/chain_kernels.py",
        "above[k] = ends + 8.0 * UNIT * (abs(low[k]) + abs(high[k]))",
        "above[k] = ends",
        _CHAINS,
    ),
    Mutant(
        "chains: the sizes of a bend",
        "certify/deep/chain_kernels.py",
        "rounded += abs(value) * size[k]",
        "rounded += 0.0",
        _CHAINS,
    ),
    Mutant(
        "chains: the sizes of a move",
        "certify/deep/chain_kernels.py",
        "rounded += abs(row[k]) * part.move[first + k]",
        "rounded += 0.0",
        _CHAINS,
    ),
    Mutant(
        "chains: the room around a difference",
        "certify/deep/chain_changes.py",
        "room = 8.0 * UNIT * (abs(low) + abs(high))",
        "room = 0.0",
        _CHAINS,
    ),
    Mutant(
        "region: rounding on a box",
        "certify/deep/region.py",
        "best = middle + spread + 2.0 * terms * UNIT * (largest + spread)",
        "best = middle + spread",
        _DEEP,
    ),
    Mutant(
        "region: rounding on a ball",
        "certify/deep/region.py",
        "around += 2.0 * terms * UNIT * (size @ np.abs(ball.center) + length) + TINY",
        "around += 0.0",
        _DEEP,
    ),
    Mutant(
        "region: the reach of a box",
        "certify/deep/region.py",
        "np.maximum(self.high - center, center - self.low) * (1.0 + 2.0**-52)",
        "np.maximum(self.high - center, center - self.low) * (1.0 - 2.0**-52)",
        _DEEP,
    ),
]


def main(word: str = "") -> int:
    """Run the mutants and print which were found; the exit code."""
    chosen = [mutant for mutant in MUTANTS if word in f"{mutant.file} {mutant.name}"]
    survivors = 0
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for part in ("src", "tests"):
            shutil.copytree(ROOT / part, tree / part)
        shutil.copy2(ROOT / "pyproject.toml", tree)
        for mutant in chosen:
            found = is_found(mutant, tree)
            survivors += not found
            rows.append((mutant.file, mutant.name, "found" if found else "SURVIVES"))
            print(*rows[-1], sep=" | ", file=sys.stderr, flush=True)
    show(
        f"{len(chosen) - survivors} of {len(chosen)} mutants found",
        ["file", "fault", "tests"],
        [list(row) for row in rows],
    )
    return 1 if survivors else 0


def is_found(mutant: Mutant, tree: Path) -> bool:
    """Whether the mutant's tests fail in the tree, which is left as it was."""
    path = tree / "src" / "slth" / mutant.file
    original = path.read_text()
    if original.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.file} holds {mutant.old!r} {original.count(mutant.old)} times")
    kept = path.stat()
    _without_kernels_of(path)
    path.write_text(original.replace(mutant.old, mutant.new))
    environment = {**os.environ, "PYTHONPATH": str(tree / "src")}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *mutant.tests]
    try:
        done = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, timeout=_PATIENCE
        )
    except subprocess.TimeoutExpired:
        return True
    finally:
        path.write_text(original)
        os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
        _without_kernels_of(path)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout.decode() + done.stderr.decode())
    return done.returncode == 1


def _without_kernels_of(path: Path) -> None:
    """A kernel is compiled into those that call it, which are in its own folder or below."""
    if "njit" in path.read_text():
        for cached in path.parent.rglob("*.nb[ic]"):
            cached.unlink()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
