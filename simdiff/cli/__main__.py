"""`python -m simdiff.cli` is the command `simdiff`."""

import sys

from simdiff.cli.main import main

sys.exit(main())
