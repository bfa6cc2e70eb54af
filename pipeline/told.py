"""What a run says while it works: lines for people, or events for programs."""

import json
import time
from typing import Any

import click

from tsr.core.console import Progress

EVENT_SECONDS = 1.0
"""Shortest time between two events of progress."""


class Told:
    """Progress and decisions, to people on standard error or to programs on standard output.

    Args:
        as_json: one JSON object per line instead: {"event": "stage" | "progress" | "note" |
            "done" | "failed" | "summary", …}.
        quiet: say nothing.
    """

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self._as_json, self._quiet = as_json, quiet
        self._facts: dict[str, Any] = {}
        self._stage = ""
        self._progress = Progress("tsr", quiet=as_json or quiet)
        self._last = -float("inf")

    def about(self, **facts: Any) -> None:
        """What all that follows is about: facts of every later event."""
        self._facts = facts

    def event(self, kind: str, **facts: Any) -> None:
        """An event for programs; people are not told."""
        if self._as_json and not self._quiet:
            click.echo(json.dumps({"event": kind, **self._facts, **facts}, default=str))

    def stage(self, name: str, text: str = "") -> None:
        """A stage begins."""
        self._progress = Progress(name, quiet=self._as_json or self._quiet)
        self._stage, self._last = name, -float("inf")
        if text:
            self._progress.show(text, force=True)
        self.event("stage", stage=name, text=text)

    def show(self, text: str, *, share: float | None = None, left: float | None = None) -> None:
        """How far the stage is: `share` of it done, `left` seconds to go."""
        self._progress.show(text)
        now = time.monotonic()
        if now - self._last >= EVENT_SECONDS:
            self._last = now
            self.event("progress", stage=self._stage, text=text, share=share, seconds_left=left)

    def done(self, text: str) -> None:
        """The stage is over."""
        self._progress.done(text)
        self.event("stage_done", stage=self._stage, text=text, seconds=round(self.seconds, 2))

    @property
    def seconds(self) -> float:
        """Since the stage began."""
        return self._progress.seconds

    def note(self, text: str) -> None:
        """A decision that the user should know."""
        self.event("note", text=text)
        self._line(f"note: {text}")

    def line(self, text: str) -> None:
        """A line for people alone."""
        self._line(text)

    def _line(self, text: str) -> None:
        if not self._as_json and not self._quiet:
            Progress.end_line()
            click.echo(text, err=True)
