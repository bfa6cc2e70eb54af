"""Files of strangers: mutations of good ones, and a process to open them in."""

import os
import select
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

WORKER = Path(__file__).with_name("fuzz_worker.py")

EXTREMES = (b"\x00", b"\xff", b"\x7f", b"\x80", b"\x01")
WHERE = st.one_of(
    st.floats(0, 1),
    st.floats(0, 0.02),  # headers
    st.floats(0.9, 1),  # indices that come last
)
MUTATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), WHERE, st.integers(0, 255)),
        st.tuples(st.just("extreme"), WHERE, st.integers(0, 39)),
        st.tuples(st.just("cut"), WHERE, st.just(0)),
        st.tuples(st.just("drop"), WHERE, st.integers(1, 4000)),
        st.tuples(st.just("repeat"), WHERE, st.integers(1, 4000)),
        st.tuples(st.just("splice"), WHERE, st.integers(0, 10_000)),
    ),
    min_size=1,
    max_size=6,
)
"""What is done to a file: kind, place (as a share of its length), argument."""


def mutated(data: bytes, other: bytes, mutations: Sequence[tuple[str, float, int]]) -> bytes:
    """`data` after all mutations; splices come from `other`."""
    for kind, share, argument in mutations:
        at = int(share * max(len(data) - 1, 0))
        if kind == "flip":
            data = data[:at] + bytes([argument]) + data[at + 1 :]
        elif kind == "extreme":
            length = (1, 2, 4, 8)[argument % 4]
            data = data[:at] + EXTREMES[argument % 5] * length + data[at + length :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "drop":
            data = data[:at] + data[at + argument :]
        elif kind == "repeat":
            data = data[: at + argument] + data[at:]
        else:
            start = argument * len(other) // 10_000
            data = data[:at] + other[start : start + 2000] + data[at + 2000 :]
    return data


class Worker:
    """Opens files in a process of its own, which is replaced when it dies or hangs."""

    def __init__(self, seconds: float = 60) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[str] | None = None

    def open(self, kind: str, path: Path) -> str:
        """How it ended; `crash: …` and `hang` are the worst."""
        process = self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{kind} {path}\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], self._seconds)
        if not ready:
            self.close()
            return "hang"
        answer = process.stdout.readline().rstrip("\n")
        if answer:
            return answer
        self._process = None
        return f"crash: status {process.wait()}"

    def _start(self) -> "subprocess.Popen[str]":
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "OMP_NUM_THREADS": "1"},
            )
        return self._process

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
