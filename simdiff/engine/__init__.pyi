from .batch_program import memory_notes
from .checkpoints import Keeper, use_checkpoints
from .cores import spread_over_cores
from .devices import check_memory, check_platform, use_devices
from .keys import check_seed, trial_keys
from .session import SESSION, Session
from .sizes import check_sizes, whole_sizes
from .trials import batch_size, batches, prepare, program_key, run_trials, stage_size, trials_per_call

__all__ = [
    "SESSION",
    "Keeper",
    "Session",
    "batch_size",
    "batches",
    "check_memory",
    "check_platform",
    "check_seed",
    "check_sizes",
    "memory_notes",
    "prepare",
    "program_key",
    "run_trials",
    "spread_over_cores",
    "stage_size",
    "trial_keys",
    "trials_per_call",
    "use_checkpoints",
    "use_devices",
    "whole_sizes",
]
