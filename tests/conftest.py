"""Array shapes and types of the numerical rooms are checked at run time under pytest."""

from jaxtyping import install_import_hook

CHECKED = ("data", "draws", "engine", "functions", "models", "problems", "trainers")
install_import_hook([f"simdiff.{room}" for room in CHECKED], "typechecker.check")
