"""What runs next, what is run again, and what a death costs, on planted pools."""

from collections import Counter
from concurrent.futures import Future

import pytest

import slth
from slth.lab.journal import MemoryJournal
from slth.lab.run import ignore, run_sweep
from slth.lab.store import Store
from slth.lab.sweep import MOST_ATTEMPTS, run_chains
from slth.lab.tally import Tally
from slth.lab.trial_result import TrialResult
from tests.lab.planted import CHAINS, FLAT, PlantedPool, outcome_of


def digest_of(path):
    with Store.open(path) as store:
        return store.digest()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The digests of both plans, run without interruption."""
    folder = tmp_path_factory.mktemp("whole")
    for plan in (FLAT, CHAINS):
        assert run_sweep(plan, folder / plan.name, PlantedPool())
    return {plan.name: digest_of(folder / plan.name) for plan in (FLAT, CHAINS)}


@pytest.mark.parametrize("plan", [FLAT, CHAINS], ids=lambda plan: plan.name)
def test_every_trial_runs_once_and_after_those_it_starts_from(plan, tmp_path):
    pool, journal = PlantedPool(), MemoryJournal()
    assert run_chains(plan.chains(), pool, journal, ignore)
    trials = plan.trials()
    assert Counter(pool.submitted) == Counter(trials)
    by_key = {trial.key: trial for trial in trials}
    for trial in trials:
        earlier = [(by_key[key], journal.outcomes[by_key[key]]) for key in trial.after]
        assert journal.outcomes[trial] == outcome_of(trial, earlier)


@pytest.mark.parametrize("plan", [FLAT, CHAINS], ids=lambda plan: plan.name)
def test_stopped_anywhere_and_resumed_the_store_is_the_same(plan, tmp_path, whole):
    path = tmp_path / "sweep.db"
    runs = 0
    while not run_sweep(plan, path, PlantedPool(stop_after=7)):
        runs += 1
        with Store.open(path) as store:
            assert 0 < store.count() < len(plan.trials())
    assert runs >= 2
    assert digest_of(path) == whole[plan.name]
    again = PlantedPool()
    assert run_sweep(plan, path, again)
    assert again.submitted == []


def test_a_trial_that_kills_its_workers_fails_and_no_other_does(tmp_path):
    guilty = FLAT.trials()[10]
    pool = PlantedPool(fatal=lambda trial: trial == guilty)
    assert run_sweep(FLAT, tmp_path / "a.db", pool)
    assert pool.restarts == MOST_ATTEMPTS
    assert pool.submitted.count(guilty) == MOST_ATTEMPTS
    with Store.open(tmp_path / "a.db") as store:
        (failed,) = store.rows(state="failed")
        assert failed.key == guilty.key
        assert failed.attempts == MOST_ATTEMPTS
        assert "died" in failed.message
        assert store.count(state="done") == len(FLAT.trials()) - 1
    # It stays failed, until asked for.
    assert run_sweep(FLAT, tmp_path / "a.db", pool)
    assert pool.submitted.count(guilty) == MOST_ATTEMPTS
    assert run_sweep(FLAT, tmp_path / "a.db", PlantedPool(), retry_failed=True)
    with Store.open(tmp_path / "a.db") as store:
        assert store.count(state="done") == len(FLAT.trials())


def test_the_best_bounds_of_a_killed_trial_survive(tmp_path):
    guilty = FLAT.trials()[0]
    weak = TrialResult("interrupted", bound=0.1, error_upper=0.7)
    mixed = TrialResult("interrupted", bound=0.05, error_upper=0.6)
    path = tmp_path / "a.db"
    for noted in (weak, mixed):
        pool = NeverFinished(noted=[(guilty.key, noted)], stop_after=3)
        assert not run_sweep(FLAT, path, pool)
    with Store.open(path) as store:
        row = store.row(guilty.key)
        assert (row.state, row.bound, row.error_upper) == ("interrupted", 0.1, 0.6)
    deadly = PlantedPool(fatal=lambda trial: trial == guilty)
    assert run_sweep(FLAT, path, deadly)
    with Store.open(path) as store:
        row = store.row(guilty.key)
        assert (row.state, row.bound, row.error_upper) == ("failed", 0.1, 0.6)


class NeverFinished(PlantedPool):
    """Trials run until Ctrl-C."""

    def _work(self):
        pass


def test_another_exception_is_the_trials_failure():
    class Raising(PlantedPool):
        def submit(self, trial, earlier):
            future = Future()
            future.set_exception(ZeroDivisionError("planted"))
            return future

    journal = MemoryJournal()
    assert run_chains(CHAINS.chains(), Raising(), journal, ignore)
    assert {outcome.state for outcome in journal.outcomes.values()} == {"failed"}
    assert "ZeroDivisionError: planted" in journal.outcomes[CHAINS.trials()[0]].message


def test_a_worker_of_another_version_is_refused(tmp_path):
    class Old(PlantedPool):
        def submit(self, trial, earlier):
            future = Future()
            future.set_result(TrialResult("done", slth="0.0.9"))
            return future

    with pytest.raises(slth.SlthError, match=r"worker runs slth 0\.0\.9"):
        run_sweep(FLAT, tmp_path / "a.db", Old())
    with Store.open(tmp_path / "a.db") as store:
        assert store.count() == 0


def test_the_tally_counts_what_the_store_holds(tmp_path):
    path = tmp_path / "a.db"
    tally = Tally(FLAT.trials(), None)
    run_sweep(FLAT, path, PlantedPool(stop_after=20), tally.watch)
    with Store.open(path) as store:
        resumed = Tally(FLAT.trials(), store)
        assert tally.ended == resumed.ended == store.count()
    run_sweep(FLAT, path, PlantedPool(), resumed.watch)
    assert resumed.ended == resumed.total == len(FLAT.trials())
    assert not resumed.running
    assert resumed.seconds_left == 0.0
    assert "error <= 0.5" in str(resumed.facts["neurons, linear readout, d = 2"])
