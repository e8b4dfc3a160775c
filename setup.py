"""Ships the folder `configs` as `simdiff/configs`, `*.pyi`, and style and script of pages.

The rest is in pyproject.toml.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["simdiff", "simdiff.*"]), "simdiff.configs"],
    package_dir={"simdiff.configs": "configs"},
    package_data={"": ["*.pyi"], "simdiff.configs": ["**/*.yaml"], "simdiff.report.page": ["*.css", "*.js"]},
)
