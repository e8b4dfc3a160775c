"""Running trials: keys, compilation, batches, devices."""

from simdiff.engine.batch_program import memory_notes
from simdiff.engine.cores import spread_over_cores
from simdiff.engine.devices import check_memory, check_platform, use_devices
from simdiff.engine.keys import check_seed, trial_keys
from simdiff.engine.session import SESSION, Session
from simdiff.engine.sizes import check_sizes, whole_sizes
from simdiff.engine.trials import batch_size, batches, prepare, run_trials, trials_per_call

__all__ = [
    "SESSION",
    "Session",
    "batch_size",
    "batches",
    "check_memory",
    "check_platform",
    "check_seed",
    "check_sizes",
    "memory_notes",
    "prepare",
    "run_trials",
    "spread_over_cores",
    "trial_keys",
    "trials_per_call",
    "use_devices",
    "whole_sizes",
]
