"""May this plan be run on this store? A changed plan or version is not mixed in unasked."""

from __future__ import annotations

import slth
from slth.errors import StoreError
from slth.lab.plan import Plan
from slth.lab.store import Store


def require_resumable(store: Store, plan: Plan) -> None:
    """Raise StoreError if the store holds another plan's trials or those of another slth."""
    versions = [version for version in store.versions() if version != slth.__version__]
    if versions:
        raise StoreError(
            f"{store.path}: holds trials of slth {', '.join(versions)}, this is "
            f"{slth.__version__}: their results may differ, so none would be reused. Name "
            "another file with --store, or pass --extend to add this version's trials beside them."
        )
    plans = store.plans()
    if plans and plan.key not in [record.key for record in plans]:
        trials = plan.trials()
        common = sum(store.state(trial.key) is not None for trial in trials)
        raise StoreError(
            f"{store.path}: was made by another plan, {plans[-1].name!r}. Of this plan's "
            f"{len(trials)} trials it holds {common}; of its {store.count()} trials "
            f"{store.count() - common} are not in this plan. Name another file with --store, or "
            "pass --extend to add the missing trials and keep the others."
        )
