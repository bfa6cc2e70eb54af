"""One stage of a benchmark: a command in its own process, timed, weighed, and done only once.

Its own process, because the peak memory of a process never falls again. Done once, because a
benchmark of an hour that was interrupted should go on where it stopped.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import commit, load

RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in one unit of `ru_maxrss`."""


def run_stage(
    name: str,
    folder: Path,
    module: str,
    arguments: Sequence[str],
    *,
    settings: dict[str, Any],
    outputs: Sequence[Path] = (),
) -> dict[str, Any]:
    """Run `python -m module arguments`, or return what an earlier run of it left in `folder`.

    An earlier result counts if its settings are the same and all `outputs` still exist. It may be
    of another commit, which is why each result tells its own.

    Args:
        name: of the stage; the result is kept in `folder`/`name`.json.
        module: prints one JSON object on standard output; its progress passes through.
        settings: all that decides the result, with what the stages before it were given.

    Returns:
        The stage's own figures in "result", "wall_seconds", "peak_mib", "commit" and "load".

    Raises:
        SystemExit: the command failed.
    """
    store = folder / f"{name}.json"
    earlier = finished(store, settings, outputs)
    if earlier is not None:
        print(f"{folder.name}: {name} was done at {earlier['commit']}", file=sys.stderr)
        return earlier
    store.unlink(missing_ok=True)
    print(f"{folder.name}: {name}", file=sys.stderr)
    started = time.monotonic()
    printed, peak = measured([sys.executable, "-m", module, *arguments])
    stage = {
        "settings": settings,
        "result": json.loads(printed),
        "wall_seconds": round(time.monotonic() - started, 2),
        "peak_mib": round(peak / 2**20),
        "commit": commit(),
        "load": load(),
    }
    write_json(store, stage)
    return stage


def finished(
    store: Path, settings: dict[str, Any], outputs: Sequence[Path]
) -> dict[str, Any] | None:
    """The stored result, if it is of these settings and its files still exist."""
    if not store.is_file() or not all(path.exists() for path in outputs):
        return None
    try:
        stage = json.loads(store.read_text(encoding="utf-8"))
    except ValueError:
        return None
    # Through JSON, as the stored settings went: tuples become lists there.
    same = stage.get("settings") == json.loads(json.dumps(settings))
    return dict(stage) if same else None


def measured(command: Sequence[str]) -> tuple[str, int]:
    """Run a command; returns what it printed and the peak of its memory in bytes.

    Raises:
        SystemExit: it failed; it has said why.
    """
    with tempfile.TemporaryFile() as printed:
        process = subprocess.Popen(command, stdout=printed)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            # The command was interrupted too, and may be saving what it has.
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            raise SystemExit("interrupted; run the same command again to go on") from None
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"failed with {process.returncode}: {' '.join(command)}")
        printed.seek(0)
        return printed.read().decode(), usage.ru_maxrss * RSS_UNIT


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace `path` at once, so that an interruption leaves the old content or the new."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part")
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
