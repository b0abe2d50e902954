"""`slth sweep`: run a plan into a store; stop it at any moment, go on with the same line."""

from __future__ import annotations

import math
import time
from pathlib import Path

from rich.console import Group
from rich.live import Live
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

import slth
from slth.cli.numbers import OptionalWhole
from slth.cli.output import announce_compilation, counting_bar, print_json, stderr, stdout
from slth.errors import require_count
from slth.lab.cost import Cost, estimate
from slth.lab.plan import Plan
from slth.lab.pools import LocalPool
from slth.lab.run import run_sweep
from slth.lab.store import Store
from slth.lab.sweep import Event
from slth.lab.tally import Tally
from slth.lab.trial import Trial
from slth.threads import processors

# Without a terminal, a line this often.
_LINE_SECONDS = 10.0


def sweep(
    plan: Path,
    *,
    store: Path | None = None,
    workers: OptionalWhole = None,
    dask: str | None = None,
    extend: bool = False,
    retry_failed: bool = False,
    retry_timeouts: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> int:
    """Run every trial of a plan and record it in a store, one row a trial.

    Stop it at any moment, by Ctrl-C or a kill, and run the same command again: it goes on with the
    trials that are not recorded. docs/sweeps.md describes plans and stores, docs/cluster.md
    clusters. Exit code 0: every trial is recorded and none failed; 1: some failed; 130:
    interrupted.

    Parameters
    ----------
    plan
        TOML file.
    store
        SQLite file; by default the plan's name with the suffix .db.
    workers
        Worker processes; all cores by default.
    dask
        Address of a Dask scheduler to run on instead, e.g. tcp://host:8786 (needs the dask extra).
    extend
        Allow a store that another plan or another version of slth has begun.
    retry_failed
        Run failed trials again.
    retry_timeouts
        Run trials again that a limit cut: what was found on a busy machine may not be all.
    dry_run
        List the trials and what they may cost; run nothing.
    json
        Print one JSON object.
    """
    declared = Plan.read(plan)
    path = plan.with_suffix(".db") if store is None else store
    count = processors() if workers is None else require_count("workers", workers, least=1)
    if dry_run:
        return _dry_run(declared, path, count, json)
    announce_compilation()
    trials = declared.trials()
    tally = Tally(trials, None)
    if path.exists():
        with Store.open(path) as held:
            tally = Tally(trials, held)
    started = time.monotonic()
    with _View(tally) as view:
        if dask is None:
            pool, client = LocalPool(count), None
        else:
            from slth.lab.dask_pool import DaskPool, connect

            client = connect(dask)
            pool = DaskPool(client)
        try:
            options = {
                "extend": extend,
                "retry_failed": retry_failed,
                "retry_timeouts": retry_timeouts,
            }
            complete = run_sweep(declared, path, pool, view.watch, **options)
        finally:
            pool.close()
            if client is not None:
                client.close()
    seconds = time.monotonic() - started
    if json:
        summary = {"version": slth.__version__, "plan": declared.key, "store": str(path)}
        states = {state: tally.states[state] for state in ("done", "timeout", "failed")}
        print_json(
            {**summary, "trials": tally.total, **states, "complete": complete, "seconds": seconds}
        )
    else:
        stdout.print(f"{_counts(tally)} in {seconds:.1f} s. Store: {path}", highlight=False)
    if not complete:
        stderr.print("Interrupted. Run the same command to go on.")
        return 130
    return 1 if tally.states["failed"] else 0


class _View:
    """The sweep as it runs, on stderr: a live table, or a line now and then."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._bar = counting_bar()
        self._task = self._bar.add_task("", total=tally.total, completed=tally.ended)
        self._live = Live(get_renderable=self._render, console=stderr, transient=True)
        self._said = time.monotonic()

    def __enter__(self) -> _View:
        if stderr.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if stderr.is_terminal:
            self._live.stop()

    def watch(self, event: Event) -> None:
        """Count an event; the live display reads the counts by itself."""
        self._tally.watch(event)
        if event.kind == "ended" and event.outcome is not None and event.outcome.state == "failed":
            reason = (event.outcome.message or "").splitlines()[0]
            stderr.print(f"failed: {event.trial.label}: {reason}", markup=False, highlight=False)
        now = time.monotonic()
        if not stderr.is_terminal and now - self._said >= _LINE_SECONDS:
            self._said = now
            stderr.print(f"{_counts(self._tally)}{_left(self._tally)}", highlight=False)

    def _render(self) -> Group:
        tally = self._tally
        bar: Progress = self._bar
        bar.update(self._task, completed=tally.ended)
        facts = Table("curve", "ended", "best so far", box=None, pad_edge=False)
        for label, fact in sorted(tally.facts.items()):
            facts.add_row(label, str(fact.ended), str(fact))
        return Group(bar, Text(f"{_counts(tally)}{_left(tally)}"), facts)


def _counts(tally: Tally) -> str:
    states = tally.states
    texts = [f"{tally.ended} of {tally.total} trials"]
    texts += [f"{len(tally.running)} started"] if tally.running else []
    texts += [f"{states[state]} {state}" for state in ("failed", "timeout") if states[state]]
    return ", ".join(texts)


def _left(tally: Tally) -> str:
    seconds = tally.seconds_left
    return "" if math.isnan(seconds) else f", about {_clock(seconds)} left"


def _clock(seconds: float) -> str:
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"


def _dry_run(plan: Plan, path: Path, workers: int, json: bool) -> int:
    trials = plan.trials()
    if path.exists():
        with Store.open(path) as held:
            cost = estimate(trials, held)
    else:
        cost = estimate(trials, None)
    if json:
        print_json(
            {
                "plan": plan.key,
                "trials": [{"key": trial.key, **_fields(trial)} for trial in trials],
                "remaining": cost.trials,
                "worker_seconds": cost.seconds,
                "measured": cost.measured,
            }
        )
        return 0
    for trial in trials:
        stdout.print(_line(trial), highlight=False, soft_wrap=True)
    stdout.print(f"{len(trials)} trials, {cost.trials} to run. {_cost(cost, workers)}")
    return 0


def _fields(trial: Trial) -> dict[str, object]:
    names = ("pruning", "readout", "d", "eps", "width", "draw", "seed", "contender")
    return {name: getattr(trial, name) for name in names}


def _line(trial: Trial) -> str:
    eps = "smallest error" if trial.eps is None else f"eps {trial.eps:g}"
    width = f"bisect to {trial.max_width}" if trial.width is None else f"width {trial.width}"
    return f"{trial.key[:12]}  draw {trial.draw}  {trial.label}, {eps}, {width}"


def _cost(cost: Cost, workers: int) -> str:
    if math.isinf(cost.seconds):
        return "No estimate: trials have no limit of seconds, and none like them was measured."
    basis = "at most" if cost.measured < cost.trials else "about"
    share = f"{cost.measured} from measured trials, the others by their limits"
    return f"{basis.capitalize()} {_clock(cost.seconds / workers)} on {workers} workers ({share})."
