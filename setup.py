"""Finds the packages, whose folders lie at the top level: pyproject.toml can name such packages, but not find them."""

from setuptools import find_packages, setup

setup(packages=["ekiben", *(f"ekiben.{name}" for name in find_packages(exclude=["tests", "tests.*"]))])
