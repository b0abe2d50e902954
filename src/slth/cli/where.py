"""Where two networks are compared: --box, --ball, --around or --spec."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from cyclopts import Parameter

from slth.cli.output import stderr
from slth.domain import Ball, Box, Domain
from slth.doors.vnnlib import read_boxes
from slth.errors import InvalidInput, require_array
from slth.layers import FloatArray


@Parameter(name="*")
@dataclass(frozen=True)
class Where:
    """The inputs that are compared.

    Parameters
    ----------
    box
        All inputs from LOW to HIGH, e.g. --box 0 1 for pixels.
    ball
        ||x||_2 <= R.
    around
        Boxes of half side R around each row of an .npy file, e.g. --around X.npy 0.01.
    spec
        The input part of a VNN-LIB file.
    """

    box: tuple[float, float] | None = None
    ball: Annotated[float | None, Parameter(name=["--ball", "--radius"])] = None
    around: tuple[Path, float] | None = None
    spec: Path | None = None

    def domains(self, inputs: int, default: Domain | None) -> list[Domain]:
        """The domains whose union is meant."""
        given = [
            name for name in ("box", "ball", "around", "spec") if getattr(self, name) is not None
        ]
        if len(given) > 1 or (not given and default is None):
            raise InvalidInput(
                "one domain",
                got=" and ".join(f"--{name}" for name in given) or "none",
                expected="one of --box LOW HIGH, --ball R, --around X.npy R, --spec FILE.vnnlib",
                fix="For example: --box 0 1.",
            )
        if self.box is not None:
            return [Box(*self.box)]
        if self.ball is not None:
            return [Ball(self.ball)]
        if self.around is not None:
            path, radius = self.around
            return [Box.around(row, radius) for row in rows_of(path)]
        if self.spec is not None:
            said = read_boxes(self.spec, inputs)
            for claim in said.unused:
                stderr.print(f"not used, about outputs: {claim}", markup=False, highlight=False)
            return list(said.boxes)
        assert default is not None
        return [default]


def rows_of(path: Path) -> FloatArray:
    """float64 [rows, d] of an .npy file; one row if it holds a vector.

    Raises:
        InvalidInput: missing, damaged, or no matrix of numbers.
    """
    try:
        with path.open("rb") as file:
            array = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InvalidInput(
            "data file not usable",
            got=f"{path}: {error}",
            expected="an .npy file with an array [rows, d]",
            fix="Write it with numpy.save(path, X).",
        ) from error
    array = np.atleast_2d(array) if isinstance(array, np.ndarray) else array
    return require_array(str(path), array, ndim=2)


def text_of(domains: list[Domain]) -> str:
    """The domain in a few words."""
    first = domains[0]
    if len(domains) > 1:
        return f"{len(domains)} boxes"
    if isinstance(first, Ball) and first.center is None:
        return f"the ball of radius {first.radius:g}"
    if isinstance(first, Box) and isinstance(first.low, float):
        return f"the box from {first.low:g} to {first.high:g}"  # type: ignore[str-format]
    return "the domain"
