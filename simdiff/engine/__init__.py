"""Running trials: keys, compilation, batches, devices."""

from simdiff.engine.cores import spread_over_cores
from simdiff.engine.devices import check_memory, use_devices
from simdiff.engine.keys import check_seed, trial_keys
from simdiff.engine.launch import memory_notes
from simdiff.engine.sizes import check_sizes, nudge
from simdiff.engine.trials import batch_size, batches, launch_size, prepare, run_trials

__all__ = [
    "batch_size",
    "batches",
    "check_memory",
    "check_seed",
    "check_sizes",
    "launch_size",
    "memory_notes",
    "nudge",
    "prepare",
    "run_trials",
    "spread_over_cores",
    "trial_keys",
    "use_devices",
]
