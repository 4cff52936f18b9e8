"""Studies: what is run, the runner, and the recorded tables as pandas frames."""

from resfold_nb.studies.frames import benchmark, ends, frame_of, load, samples, steps_to_pass, table_name
from resfold_nb.studies.plans import SETTINGS, variant
from resfold_nb.studies.proteins import TEN_CHAINS, batch_for, dimers, ten_chain_ids

__all__ = ["SETTINGS", "TEN_CHAINS", "batch_for", "benchmark", "dimers", "ends", "frame_of", "load", "samples",
           "steps_to_pass", "table_name", "ten_chain_ids", "variant"]
