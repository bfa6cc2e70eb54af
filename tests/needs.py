"""What a test needs beside a GPU: skipped without it, but on a GPU machine that is a failure."""

import importlib
import os
from typing import Any, NoReturn

import pytest


def module(name: str, remedy: str) -> Any:
    """A module that not every machine has."""
    try:
        return importlib.import_module(name)
    except ImportError:
        without(f"needs {name}: {remedy}")


def whole_module(name: str, remedy: str) -> Any:
    """A module that all tests of a file need."""
    try:
        return importlib.import_module(name)
    except ImportError:
        without(f"needs {name}: {remedy}", whole_file=True)


def without(reason: str, *, whole_file: bool = False) -> NoReturn:
    """Skip a test for this reason, or fail it if TSR_REQUIRE_CUDA=1."""
    if os.environ.get("TSR_REQUIRE_CUDA") == "1":
        pytest.fail(f"TSR_REQUIRE_CUDA=1, but {reason}")
    pytest.skip(reason, allow_module_level=whole_file)
