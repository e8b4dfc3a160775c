import os

os.environ.setdefault("JAX_PLATFORMS", os.environ.get("SIMDIFF_TEST_PLATFORM", "cpu"))
