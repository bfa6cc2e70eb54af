"""Doubles of TensorRT's classes that take no call which the real bindings would refuse.

`create_autospec` knows which methods there are, but not their parameters, since compiled methods
have no signature. pybind11 writes it into each docstring, so the doubles read it there.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import create_autospec

import needs

from tsr.runtime.tensorrt_library import messages

trt = needs.whole_module("tensorrt_rtx", "pip install tensorrt-rtx-cu13")

PLAIN = {"str": str, "int": int, "SupportsInt": int, "bool": bool, "tuple": tuple, "list": list}
PLAIN |= {"Buffer": (bytes, bytearray, memoryview)}  # type: ignore[dict-item]


def double(cls: Any, **answers: Any) -> Any:
    """An instance of a double of `cls`; `answers` are what its methods do, or what they return."""
    made = create_autospec(cls, instance=True, spec_set=True)
    for name in dir(cls):
        overloads = signatures(getattr(cls, name), name)
        if overloads and not name.startswith("__"):
            getattr(made, name).side_effect = _checked(name, overloads, answers.pop(name, None))
    for name, value in answers.items():
        setattr(type(made), name, value) if isinstance(value, property) else setattr(
            made, name, value
        )
    return made


def signatures(method: Any, name: str) -> list[list[tuple[str, str, bool]]]:
    """(name, type, optional) of the parameters of each overload, without `self`."""
    found = re.findall(rf"^(?:\d+\. )?{name}\((self: .*)\) -> ", method.__doc__ or "", re.M)
    return [[_parameter(text) for text in _split(line)[1:]] for line in found]


def _split(line: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, letter in enumerate(line):
        depth += (letter in "([<") - (letter in ")]>")
        if letter == "," and depth == 0:
            parts.append(line[start:i].strip())
            start = i + 1
    return [*parts, line[start:].strip()]


def _parameter(text: str) -> tuple[str, str, bool]:
    name, _, rest = text.partition(": ")
    kind, _, default = rest.partition(" = ")
    return name, kind, bool(default)


def _checked(
    name: str, overloads: list[list[tuple[str, str, bool]]], answer: Any
) -> Callable[..., Any]:
    def call(*args: Any, **named: Any) -> Any:
        if not any(accepts(overload, args, named) for overload in overloads):
            raise TypeError(f"{name}{args}{named}: the bindings take {overloads}")
        return answer(*args, **named) if callable(answer) else answer

    return call


def accepts(
    overload: list[tuple[str, str, bool]], args: tuple[Any, ...], named: dict[str, Any]
) -> bool:
    if len(args) > len(overload) or not set(named) <= {name for name, _, _ in overload}:
        return False
    given = dict(zip([name for name, _, _ in overload], args, strict=False)) | named
    return all(
        _fits(kind, given[name]) if name in given else optional for name, kind, optional in overload
    )


def _fits(kind: str, value: Any) -> bool:
    last = re.split(r"[.:]", kind)[-1]
    expected = PLAIN.get(last) or getattr(trt, last, None)
    return expected is None or isinstance(value, expected)


@contextmanager
def builder_says() -> Iterator[list[str]]:
    """The lines of the builder's log, kernels and their number formats among them."""
    lines: list[str] = []
    log = messages("tensorrt_rtx")
    log.listen = lines.append
    yield lines
    log.listen = lambda text: None


def convolutions(lines: list[str]) -> list[str]:
    """The number format that each convolution kernel reads, from the builder's log."""
    kernels = re.findall(r"LayerType: correlation, Inputs: \[ \{(.*?)\}", "\n".join(lines))
    return [re.findall(r"Datatype: (\w+)", kernel)[0] for kernel in kernels]
