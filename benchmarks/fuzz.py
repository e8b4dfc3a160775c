"""1,000 odd inputs: calls of Python and command lines, each of which must end in one line or a right result.

    python benchmarks/fuzz.py [calls] [commands]       # default 700 and 300

Input number k is the same on every machine as long as the registered parts are (see `tests/fuzz`); what
failed once is kept there, and is tried as well. Ends with status 1 if anything fails.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

FUZZ = Path(__file__).parent.parent / "tests" / "fuzz"


def failures(script: str, count: int) -> list[list]:
    """What failed among that many generated inputs and the stored ones."""
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, str(FUZZ / script), "0", str(count)]
        run = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=True)
    *failed, (_, _, tried) = map(json.loads, run.stdout.splitlines())
    print(f"{script}: {tried} inputs, {len(failed)} failed")
    return failed


def main(calls: int = 700, commands: int = 300) -> int:
    """Run and print."""
    failed = failures("fuzz_calls.py", calls) + failures("fuzz_commands.py", commands)
    for one in failed:
        print(json.dumps(one, ensure_ascii=False))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
