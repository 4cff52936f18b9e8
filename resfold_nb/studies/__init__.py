"""Studies: what is run, the runner, and the recorded tables as pandas frames."""

from resfold_nb.studies.frames import benchmark, ends, frame_of, load, samples
from resfold_nb.studies.lookups import (SETTINGS, budget_rows, error_rows, variant_curve, variant_errors,
                                        variant_quantity)
from resfold_nb.studies.plans import variant
from resfold_nb.studies.proteins import TEN_CHAINS, batch_for, ten_chain_ids
from resfold_nb.studies.recorded import (Curve, median_range, recorded_benchmark, recorded_budget, recorded_curve,
                                         recorded_ends, recorded_quantity, recorded_runs, recorded_samples,
                                         steps_to_pass, table_name)

__all__ = ["benchmark", "ends", "frame_of", "load", "samples", "Curve", "SETTINGS", "TEN_CHAINS", "batch_for",
           "budget_rows", "error_rows", "median_range", "recorded_benchmark", "recorded_budget", "recorded_curve",
           "recorded_ends", "recorded_quantity", "recorded_runs", "recorded_samples", "steps_to_pass", "table_name",
           "ten_chain_ids", "variant", "variant_curve", "variant_errors", "variant_quantity"]
