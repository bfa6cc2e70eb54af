"""The demo's stages: timed, and never silent."""

import contextlib
import threading
import time
from collections.abc import Iterator

from tsr.core.console import Progress, duration


class Working(Progress):
    """Progress that is never silent: it repeats its last line, with the time, while it works."""

    def __init__(self, what: str, text: str) -> None:
        super().__init__(what)
        self.text = text
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        super().show(text)
        self._ticker.start()

    def show(self, text: str, *, force: bool = False) -> None:
        self.text = text
        super().show(text, force=force)

    def _tick(self) -> None:
        while not self._ended.wait(1.0):
            super().show(f"{self.text} (after {duration(self.seconds)})")

    def end(self) -> None:
        """Say no more."""
        self._ended.set()
        self._ticker.join()


@contextlib.contextmanager
def stage(name: str, text: str, seconds: dict[str, float]) -> Iterator[Working]:
    """Run a stage: `text` says what it does, `seconds[name]` its wall time when it is done."""
    progress = Working(name, text)
    started = time.perf_counter()
    try:
        yield progress
    finally:
        progress.end()
    seconds[name] = round(time.perf_counter() - started, 2)
    progress.done(f"done in {duration(seconds[name])}")
