"""The command line: one command per file, parsed by Cyclopts, printed by Rich.

Exit codes: 0 the claim holds, 1 it does not, 2 bad usage or input, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import cyclopts
from rich.console import Console

from slth.errors import SlthError

app = cyclopts.App(
    name="slth",
    help="Certified strong lottery tickets: find, certify, refute and check subnetworks of "
    "random ReLU networks. Start with: slth gap",
)
app.command("slth.cli.gap:gap", name="gap")
app.command("slth.cli.report:report", name="report")
app.command("slth.cli.prune:app", name="prune")
app.command("slth.cli.embed:embed", name="embed")
app.command("slth.cli.certify:certify", name="certify")
app.command("slth.cli.check:check", name="check")
app.command("slth.cli.width:width", name="width")
app.command("slth.cli.theory:app", name="theory")
app.command("slth.cli.sweep:sweep", name="sweep")
app.command("slth.cli.export:export_store", name="export")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    errors = Console(stderr=True)
    try:
        code = app(
            arguments, result_action="return_value", exit_on_error=False, error_console=errors
        )
    except cyclopts.CycloptsError:
        return 2
    except SlthError as error:
        errors.print(f"slth: {error}", style="red", markup=False, highlight=False)
        return 2
    except KeyboardInterrupt:
        errors.print("slth: interrupted")
        return 130
    return int(code or 0)
