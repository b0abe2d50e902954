"""The command line: one command per file, parsed by Cyclopts, printed by Rich.

Exit codes: 0 the claim holds, 1 it does not, 2 bad usage or input, 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import cyclopts
from rich.console import Console

from slth.cli import (
    agree,
    certify,
    check,
    compress,
    embed,
    export,
    gap,
    prune,
    report,
    streams,
    sweep,
    theory,
    warmup,
    width,
)
from slth.cli.output import print_json
from slth.cli.outputs import NotWritten
from slth.errors import SlthError

app = cyclopts.App(
    name="slth",
    help="Certified strong lottery tickets: find, certify, refute and check subnetworks of "
    "random ReLU networks. Start with: slth gap",
)
app.command(gap.gap, name="gap")
app.command(report.report, name="report")
app.command(prune.app)
app.command(embed.embed, name="embed")
app.command(certify.certify, name="certify")
app.command(agree.agree, name="agree")
app.command(compress.compress, name="compress")
app.command(check.check, name="check")
app.command(width.width, name="width")
app.command(theory.app)
app.command(sweep.sweep, name="sweep")
app.command(export.export_store, name="export")
app.command(warmup.warmup, name="warmup")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    with streams.careful():
        code = run(arguments)
    sys.exit(code)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    errors = Console(stderr=True)

    def say(error: SlthError) -> None:
        # A terminal wraps for itself; a path that is cut in two cannot be copied.
        errors.print(f"slth: {error}", style="red", markup=False, highlight=False, soft_wrap=True)

    try:
        with streams.terminated_as_interrupted():
            code = app(
                arguments, result_action="return_value", exit_on_error=False, error_console=errors
            )
    except cyclopts.CycloptsError as error:
        _answer_error(arguments, error)
        return 2
    except NotWritten as failed:
        # The answer was printed: no second one.
        say(failed.error)
        return 2
    except SlthError as error:
        say(error)
        _answer_error(arguments, error)
        return 2
    except KeyboardInterrupt:
        errors.print("slth: interrupted")
        return 130
    return int(code or 0)


def _answer_error(arguments: Sequence[str] | None, error: Exception) -> None:
    """The error as the JSON answer where one was asked for."""
    if "--json" in (sys.argv[1:] if arguments is None else arguments):
        print_json({"error": str(error), "kind": type(error).__name__})
