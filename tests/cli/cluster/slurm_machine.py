"""A SLURM of one machine for as long as a block runs: munged, slurmctld and slurmd in a private folder.

They speak over the loopback interface only, take no rights beyond those of the user, use no cgroups, and
are stopped when the block ends, with every step they started. By hand, a command in such a cluster:

    python tests/cluster/slurm_machine.py sbatch --wait --wrap 'hostname'
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scancel", "sinfo")
SEARCHED = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
STARTED_WITHIN = 30.0  # seconds

CONFIGURATION = """\
ClusterName=onemachine
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=1
NodeName=node NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes=node Default=YES MaxTime=INFINITE State=UP
"""


class CannotStart(Exception):
    """Why there is no SLURM here, in one line."""


@contextlib.contextmanager
def slurm_machine(cpus: int = 2) -> Iterator[dict[str, str]]:
    """Start the daemons; yields the environment in which sbatch and its kin reach them.

    Raises:
        CannotStart: a program is missing, or the node is not ready in time.
    """
    missing = [name for name in PROGRAMS if shutil.which(name, path=SEARCHED) is None]
    if missing:
        raise CannotStart(f"not installed: {', '.join(missing)} (Debian: slurm-wlm, munge)")
    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    environment = os.environ | {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": SEARCHED}
    daemons: list[subprocess.Popen] = []
    try:
        _configure(folder, cpus)
        with _terminated_like_others(), (folder / "daemons.log").open("w") as log:
            for command in _daemons(folder):
                daemons.append(_start(command, environment, log))
                _wait_for_socket(folder, daemons[0])
            _wait_for_node(folder, environment, daemons)
            yield environment
    finally:
        _stop(daemons, environment)
        shutil.rmtree(folder, ignore_errors=True)


def _configure(folder: Path, cpus: int) -> None:
    folder.chmod(0o755)  # munged wants its socket within everybody's reach
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.touch(mode=0o600)
    key.write_bytes(secrets.token_bytes(128))
    host, user = socket.gethostname().split(".")[0], pwd.getpwuid(os.getuid()).pw_name
    text = CONFIGURATION.format(folder=folder, host=host, user=user, cpus=cpus, ports=_free_ports(2))
    (folder / "slurm.conf").write_text(text)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _daemons(folder: Path) -> list[list[str]]:
    munge = ["munged", "--foreground", "--force", f"--key-file={folder}/munge.key"]
    munge += [f"--{name}={folder}/munge.{name.split('-')[0]}" for name in ("socket", "pid-file", "log-file")]
    munge += [f"--seed-file={folder}/munge.seed"]
    return [munge, ["slurmctld", "-D", "-i", "-c"], ["slurmd", "-D", "-c", "-N", "node"]]


def _start(command: list[str], environment: Mapping[str, str], log) -> subprocess.Popen:
    program = shutil.which(command[0], path=SEARCHED)
    return subprocess.Popen(
        [program, *command[1:]],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=_end_with_parent,
    )


def _end_with_parent() -> None:
    """Have the kernel end this process when the one that started it dies, in whatever way."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


@contextlib.contextmanager
def _terminated_like_others() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that what stands in `finally` is done."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _wait_for_socket(folder: Path, munged: subprocess.Popen) -> None:
    _wait(lambda: (folder / "munge.socket").exists(), folder, [munged])


def _wait_for_node(folder: Path, environment: Mapping[str, str], daemons: list[subprocess.Popen]) -> None:
    def ready() -> bool:
        command = ["sinfo", "--noheader", "--format=%T"]
        asked = subprocess.run(command, env=environment, capture_output=True, text=True)
        return asked.stdout.strip() == "idle"

    _wait(ready, folder, daemons)


def _wait(ready, folder: Path, daemons: list[subprocess.Popen]) -> None:
    end = time.monotonic() + STARTED_WITHIN
    while not ready():
        gone = [daemon.args[0] for daemon in daemons if daemon.poll() is not None]
        if gone or time.monotonic() > end:
            raise CannotStart(f"{gone[0] if gone else 'the node'} did not start: {_last_words(folder)}")
        time.sleep(0.05)


def _last_words(folder: Path) -> str:
    """The last error in the logs."""
    lines = [line for path in sorted(folder.glob("*.log")) for line in path.read_text().splitlines()]
    errors = [line for line in lines if "error" in line.lower() or "fatal" in line.lower()]
    return (errors or lines or ["no log"])[-1]


def _stop(daemons: list[subprocess.Popen], environment: Mapping[str, str]) -> None:
    """End steps, then daemons, last started first."""
    for step in _steps(environment["SLURM_CONF"]):
        with contextlib.suppress(psutil.Error):
            step.kill()
    for daemon in reversed(daemons):
        daemon.terminate()
    for daemon in daemons:
        try:
            daemon.wait(timeout=10)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()
    for step in _steps(environment["SLURM_CONF"]):  # started while the others ended
        with contextlib.suppress(psutil.Error):
            step.kill()


def _steps(configuration: str) -> list[psutil.Process]:
    """Processes of this cluster's jobs: those that were given its configuration, slurmd's own aside."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            name, own = process.name(), process.environ().get("SLURM_CONF") == configuration
            if own and process.pid != os.getpid() and name not in ("munged", "slurmctld", "slurmd"):
                found.append(process)
    return found


if __name__ == "__main__":
    try:
        with slurm_machine() as around:
            sys.exit(subprocess.run(sys.argv[1:], env=around).returncode)
    except CannotStart as reason:
        sys.exit(f"no SLURM here: {reason}")
