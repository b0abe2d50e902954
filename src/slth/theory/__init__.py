"""The paper made executable: Ferré et al., arXiv 2603.02234 v2, every statement with numbers.

Functions take arrays (`hidden` [width, d], `output` [width], `target` [d]) and import nothing else
of slth but its errors. Results that are called bounds are `Statement`s: value, assumptions, source,
whether they are proven, and whether they are vacuous.
"""

from slth.theory.audit import AuditLine, Finding, audit
from slth.theory.breakpoints import Bins, Kinks, family_count, family_points, kinks, make_bins
from slth.theory.broken import AffineFit, affine_fit, bin_errors, broken_bins
from slth.theory.chains import (
    Chain,
    chernoff_lemma7,
    exact_law,
    hit_by,
    law,
    lemma7,
    log_at_zero,
)
from slth.theory.counting import counting_width
from slth.theory.covering import covering_failure, covering_width
from slth.theory.known import KnownWidth, Standing, what_is_known
from slth.theory.lemmas import (
    GuaranteedError,
    broken_bin_error,
    kink_error,
    missing_breakpoint_error,
    three_point_error,
)
from slth.theory.planner import PlanRow, plan
from slth.theory.processes import (
    CoupledPath,
    PruningPath,
    capped_process,
    couple,
    pruning_process,
)
from slth.theory.refuted import max_refuted_width
from slth.theory.result import Evidence, Statement
from slth.theory.route import Constants, constants, lemma8, lemma9, route_width, union_bound
from slth.theory.single import (
    cap_probability,
    drawn_unit_refuted_width,
    log_cap_probability,
    single_unit_refuted_width,
    single_unit_sufficient_width,
    success_by_chance,
)
from slth.theory.small_units import small_units, small_units_width
from slth.theory.spectral import spectral_width
from slth.theory.weighted_units import weighted_units, weighted_units_width
from slth.theory.widths import (
    axis_mask_width,
    neuron_pruning_sufficient_width,
    subset_sum_needed,
    subset_sum_width,
    weight_pruning_width,
)
from slth.theory.zonal import (
    ZonalMeasure,
    universal_constant,
    weight_mask_width,
    zonal_width,
)

__all__ = [
    "AffineFit",
    "AuditLine",
    "Bins",
    "Chain",
    "Constants",
    "CoupledPath",
    "Evidence",
    "Finding",
    "GuaranteedError",
    "Kinks",
    "KnownWidth",
    "PlanRow",
    "PruningPath",
    "Standing",
    "Statement",
    "ZonalMeasure",
    "affine_fit",
    "audit",
    "axis_mask_width",
    "bin_errors",
    "broken_bin_error",
    "broken_bins",
    "cap_probability",
    "capped_process",
    "chernoff_lemma7",
    "constants",
    "counting_width",
    "couple",
    "covering_failure",
    "covering_width",
    "drawn_unit_refuted_width",
    "exact_law",
    "family_count",
    "family_points",
    "hit_by",
    "kink_error",
    "kinks",
    "law",
    "lemma7",
    "lemma8",
    "lemma9",
    "log_at_zero",
    "log_cap_probability",
    "make_bins",
    "max_refuted_width",
    "missing_breakpoint_error",
    "neuron_pruning_sufficient_width",
    "plan",
    "pruning_process",
    "route_width",
    "single_unit_refuted_width",
    "single_unit_sufficient_width",
    "small_units",
    "small_units_width",
    "spectral_width",
    "subset_sum_needed",
    "subset_sum_width",
    "success_by_chance",
    "three_point_error",
    "union_bound",
    "universal_constant",
    "weight_mask_width",
    "weight_pruning_width",
    "weighted_units",
    "weighted_units_width",
    "what_is_known",
    "zonal_width",
]
