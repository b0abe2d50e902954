"""A sweep from plan to store: the verb behind `slth sweep`."""

from __future__ import annotations

from os import PathLike

from slth.lab.journal import StoreJournal
from slth.lab.plan import Plan
from slth.lab.pools import AbstractPool
from slth.lab.resume import require_resumable
from slth.lab.store import Store
from slth.lab.store_writer import StoreWriter
from slth.lab.sweep import Event, Watch, run_chains


def ignore(event: Event) -> None:
    """The watch that looks away."""


def run_sweep(
    plan: Plan,
    path: str | PathLike[str],
    pool: AbstractPool,
    watch: Watch = ignore,
    *,
    extend: bool = False,
    retry_failed: bool = False,
    retry_timeouts: bool = False,
) -> bool:
    """Run the plan's trials that the store does not hold; whether all was run (False: Ctrl-C).

    Stopped at any moment, by Ctrl-C or a kill, the same call goes on where it was: a recorded
    trial is never run again, an unrecorded one is, and with limits that do not depend on time the
    store ends the same.

    Args:
        pool: `LocalPool(workers)`, `DaskPool(client)` or `LentPool(executor, window)`; its owner
            closes it.
        watch: told of every trial's start, bounds and end.
        extend: allow a store that another plan or another version of slth has begun.
        retry_failed, retry_timeouts: run failed trials, or those that a limit cut, again.

    Raises:
        StoreError: the store is in use, damaged, not writable, or of another plan or version.
    """
    with StoreWriter.open(path) as writer, Store.open(path) as reader:
        if not extend:
            require_resumable(reader, plan)
        writer.record_plan(plan)
        journal = StoreJournal(writer, reader)
        again = [
            state
            for state, chosen in (("failed", retry_failed), ("timeout", retry_timeouts))
            if chosen
        ]
        return run_chains(plan.chains(), pool, journal, watch, again=again)
