"""Array shapes and types of the numerical rooms are checked at run time under pytest.

Compiled programs go to a folder of the session's own, which its processes share, never to the user's cache.
Traced ones are not kept: tests replace numbers that these follow from.
The CPU is one device, here and in processes that tests start, whatever ran before: numbers then have the same
bits everywhere.
"""

import atexit
import os
import shutil
import tempfile

from jaxtyping import install_import_hook

CHECKED = ("data", "engine", "functions", "models", "parts", "problems", "sampling", "trainers", "validation")
THEORIES = ("linear_denoiser", "linear_chain", "ensemble", "numerics")
CHECKED += tuple(
    f"theory.{room}" for room in THEORIES
)  # entry points, analysis and loader, are given wrong types
install_import_hook([f"simdiff.{room}" for room in CHECKED], "typechecker.check")

os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count=1 {os.environ.get('XLA_FLAGS', '')}"
os.environ.pop("JAX_NUM_CPU_DEVICES", None)
os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
os.environ["SIMDIFF_TRACED_PROGRAMS"] = "off"
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="simdiff-cache-")
    atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
