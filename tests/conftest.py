"""Array shapes and types of the numerical rooms are checked at run time under pytest.

Compiled programs go to a folder of the session's own, never to the user's cache.
"""

import atexit
import os
import shutil
import tempfile

from jaxtyping import install_import_hook

CHECKED = ("data", "draws", "engine", "functions", "models", "problems", "trainers")
install_import_hook([f"simdiff.{room}" for room in CHECKED], "typechecker.check")

os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp(prefix="simdiff-cache-")
atexit.register(shutil.rmtree, os.environ["XDG_CACHE_HOME"], ignore_errors=True)
