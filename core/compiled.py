"""How loops are compiled: for exactly their argument types, once per machine."""

from collections.abc import Callable
from typing import Any

import numba
from numba import types

given = {n: types.Array(types.float32, n, "C", readonly=True) for n in (1, 2, 3)}
"""Types of C-contiguous float32 arrays of n axes that a loop reads."""

filled = {n: types.Array(types.float32, n, "C") for n in (2, 3)}
"""Types of C-contiguous float32 arrays of n axes that a loop writes."""

inlined = numba.njit
"""Compiles what loops call, for whatever they call it with."""


def compiled(*arguments: Any) -> Callable[[Callable[..., None]], Any]:
    """Compile for exactly these argument types, once per machine where a cache can be kept."""

    def compile_loop(function: Callable[..., None]) -> Any:
        signature = types.void(*arguments)
        try:
            return numba.njit(signature, nogil=True, cache=True)(function)
        except (RuntimeError, OSError) as error:
            # No folder can be written to, or its disk is full.
            if isinstance(error, RuntimeError) and "cannot cache" not in str(error):
                raise
            return numba.njit(signature, nogil=True)(function)

    return compile_loop
