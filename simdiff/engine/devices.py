"""Which devices of this machine trials run on, what these can hold, and how many trials fit at a time."""

from __future__ import annotations

import contextlib
import functools
import os

import jax
import threadpoolctl

from simdiff.engine.host_memory import available
from simdiff.engine.session import SESSION, Session
from simdiff.errors import InputError, check_integer
from simdiff.problem import Problem

_SHARE = 0.8
"""Share of the free memory that trials may plan for."""


def use_devices(count: int | None, session: Session = SESSION) -> None:
    """Compute on the first `count` local devices from now on; None: on all of them, the default.

    JAX decides what the local devices are: the GPUs if it has any, else one CPU device, or as many simulated
    ones as XLA_FLAGS=--xla_force_host_platform_device_count asks for. A trial's numbers
    depend on it by rounding only.

    Raises:
        InputError: fewer than one, or more than there are.
    """
    there = jax.local_devices()
    wanted = None if count is None else check_integer("devices", count, least=1)
    if wanted is not None and wanted > len(there):
        hint = f"this process sees {describe(tuple(there))}"
        raise InputError("devices", count, f"an integer from 1 to {len(there)}, or null for all", hint)
    session.devices = wanted


def check_platform() -> None:
    """Raise `InputError` where JAX is told to use a kind of device that this machine has none of."""
    try:
        jax.local_devices()
    except (RuntimeError, AssertionError) as error:
        asked = os.environ.get("JAX_PLATFORMS", "")
        said = " ".join(str(error).split())[:200] or "none was found"
        raise InputError("JAX_PLATFORMS", asked, "a platform that this machine has, as cpu", said) from error


def in_use(session: Session = SESSION) -> tuple[jax.Device, ...]:
    """The devices that trials are spread over."""
    return tuple(jax.local_devices()[: session.devices])


def describe(devices: tuple[jax.Device, ...]) -> str:
    """What trial rows say of their devices: "NVIDIA H200", or "8 x NVIDIA H200"."""
    kinds = ", ".join(dict.fromkeys(device.device_kind for device in devices))
    return kinds if len(devices) == 1 else f"{len(devices)} x {kinds}"


def free_memory(device: jax.Device | None = None, session: Session = SESSION) -> int:
    """Bytes free on a device: its own account on accelerators, the machine's on CPU."""
    device = device or in_use(session)[0]
    stats = device.memory_stats() if device.platform != "cpu" else None
    if stats and "bytes_limit" in stats:
        used = int(stats.get("bytes_in_use", 0))
        session.resident[device] = min(used, session.resident.get(device, used))
        return int(stats["bytes_limit"]) - session.resident[device]
    return available()


def usable_memory(devices: tuple[jax.Device, ...], session: Session = SESSION) -> float:
    """Bytes that trials may plan for on each of these; CPU devices share the memory of the machine."""
    free = _SHARE * min(free_memory(device, session) for device in devices)
    return free / len(devices) if devices[0].platform == "cpu" else free


def devices_for(problem: Problem, d: int, session: Session = SESSION) -> tuple[jax.Device, ...]:
    """The devices that trials of this size are spread over: all in use.

    On CPU no more than there is memory for, and at least one, which has all cores and all memory then.
    """
    devices = in_use(session)
    if devices[0].platform != "cpu" or len(devices) == 1:
        return devices
    return devices[: fitting_trials(problem, d, len(devices), session)]


def fitting_trials(problem: Problem, d: int, most: int, session: Session = SESSION) -> int:
    """How many trials run at once on the CPU without running out of memory: at least 1, at most `most`.

    What was found is kept, for a trial that runs takes of the memory that is at hand.
    """
    devices = in_use(session)
    key = problem.digest(), d, devices
    if key not in session.spread:
        trials = int(_SHARE * free_memory(devices[0], session) / max(1, problem.memory(d)))
        session.spread[key] = max(1, min(most, trials))
    return session.spread[key]


def check_memory(
    problem: Problem, d: int, split: bool = True, session: Session = SESSION, field: str = "sizes"
) -> None:
    """Refuse a trial that does not fit, naming the largest size that would; `split`: devices may split it.

    What was found to fit is not looked at again: later trials of a run must not be refused for the memory
    that earlier ones, or other programs, have taken meanwhile.

    Raises:
        InputError: before anything is computed.
    """
    devices = devices_for(problem, d, session)
    planned = session.fewest.get((problem.digest(), d, devices))
    if planned is not None and (split or planned == 1):
        return
    have, count = usable_memory(devices, session), len(devices)
    most = count if split else 1
    if _enough(problem, d, have, most):
        fewest_devices(problem, d, session)
        return
    whole, least = problem.memory(d), problem.split_memory(d, most)
    shares = f", or {_gib(least)} on each of {most} devices that split it" if least < whole else ""
    each = f" on each of {count} devices" if count > 1 else ""
    hint = f"one trial needs {_gib(whole)}{shares}, {_gib(have)} are at hand{each}"
    raise InputError(field, d, largest_size(problem, d, have, most), hint)


def check_bytes(field: str, d: int, needed: float) -> None:
    """Raise `InputError` where computing something of size d takes more bytes than are at hand."""
    have = _SHARE * free_memory()
    if needed > have:
        hint = f"it needs some {_gib(needed)}, {_gib(have)} are at hand"
        raise InputError(field, d, "a smaller size", hint)


def _gib(count: float) -> str:
    return f"{count / 2**30:.1f} GiB"


def _enough(problem: Problem, d: int, have: float, most: int) -> list[int]:
    """How many devices may split a trial so that it fits each, fewest first; one is not to split."""
    return [parts for parts in _divisors(most) if problem.split_memory(d, parts) <= have]


def fewest_devices(problem: Problem, d: int, session: Session = SESSION) -> int:
    """Devices that must split a trial for it to fit: 1 where it does on one, or does on none.

    What was found is kept, for a trial that runs takes of the memory that is at hand.
    """
    devices = devices_for(problem, d, session)
    key = problem.digest(), d, devices
    if key not in session.fewest:
        enough = _enough(problem, d, usable_memory(devices, session), len(devices))
        if not enough:
            return 1
        session.fewest[key] = enough[0]
    return session.fewest[key]


def split_further(problem: Problem, d: int, parts: int, session: Session = SESSION) -> bool:
    """Plan trials for the next number of devices above `parts` at which each needs less; False: none does."""
    devices = devices_for(problem, d, session)
    less = problem.split_memory(d, parts)
    more = [k for k in _divisors(len(devices)) if k > parts and problem.split_memory(d, k) < less]
    if more:
        session.fewest[problem.digest(), d, devices] = more[0]
    return bool(more)


def largest_size(problem: Problem, d: int, have: float, parts: int = 1) -> str:
    """In words, the largest size below d that needs at most `have` bytes on each of `parts` devices."""
    if problem.only_size is not None or not problem.memory(d):
        return "a smaller problem"
    fits, fails = 0, d
    while fails - fits > 1:
        middle = (fits + fails) // 2
        enough = problem.split_memory(middle, parts) <= have
        fits, fails = (middle, fails) if enough else (fits, middle)
    return f"at most about {fits} for this problem here" if fits else "no size of this problem fits here"


def side_by_side(problem: Problem, d: int, count: int, session: Session = SESSION) -> int:
    """Trials under one vmap on a device that is given `count`: a divisor of it.

    As many as fit on an accelerator; one on CPU, whose cores a trial fills.
    """
    if in_use(session)[0].platform == "cpu":
        return 1
    return largest_divisor(count, int(usable_memory(in_use(session), session) / max(1, problem.memory(d))))


def largest_divisor(count: int, most: int) -> int:
    """The largest divisor of `count` that is at most `most`, at least 1: groups without a remainder."""
    return max(k for k in _divisors(count) if k <= max(1, most))


def _divisors(count: int) -> list[int]:
    return [k for k in range(1, count + 1) if count % k == 0]


def one_lapack_thread(session: Session = SESSION) -> contextlib.AbstractContextManager:
    """Keep LAPACK's own threads out of the way of XLA's while trials run on CPU.

    Both pools wait actively: on a machine with other work, two LAPACK threads made trials at d = 100 to
    400 five to ten times slower; on an idle one a trial takes the same time with one thread as with two
    (two cores, jaxlib 0.10).
    """
    if in_use(session)[0].platform != "cpu":
        return contextlib.nullcontext()
    return _pools().limit(limits=1, user_api="blas")


@functools.cache
def _pools() -> threadpoolctl.ThreadpoolController:
    """The thread pools loaded so far; looking for them takes milliseconds, so once.

    JAX factorises with the BLAS and LAPACK of SciPy, which it loads when it first does.
    """
    import scipy.linalg.cython_blas
    import scipy.linalg.cython_lapack  # noqa: F401

    return threadpoolctl.ThreadpoolController()
