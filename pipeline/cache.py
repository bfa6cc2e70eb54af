"""What `tsr` keeps of each video: models, exports, finished pieces of a render.

A folder per video, named by its content; in it a folder per stage and the settings that matter to
it. So a second run finds what has not changed, a killed one what it had done, and the names of
files do not matter. One process at a time works on a video: the lock is the operating system's,
which lets go of it when its process ends, however it ends.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tsr.core.cache import cache_folder, keep
from tsr.core.clip_io import ClipInfo
from tsr.core.console import check_installed
from tsr.core.errors import OutputError, TsrError

SCHEMA = 2
"""Raised whenever what an older version kept would be misread, or is known to be worse."""

LOCK, NAME, FACTS = "lock", "name.txt", "facts.json"


class BusyError(TsrError):
    """Another process works on the video."""


def frames_facts(clip: ClipInfo) -> dict[str, Any]:
    """What says which frames a stage is given, beside the video's content."""
    as_they_are = {} if clip.deinterlace else {"deinterlace": False}
    return {"frames": clip.frames, **as_they_are}


@dataclass(frozen=True)
class VideoCache:
    """The folder of one video."""

    folder: Path

    def stage(self, name: str, facts: dict[str, Any]) -> Path:
        """The folder of a stage with these settings; made if it is not there.

        Raises:
            OutputError: the cache cannot be written.
        """
        text = json.dumps({"schema": SCHEMA, **facts}, sort_keys=True, default=str, indent=1)
        folder = self.folder / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        if not (folder / FACTS).is_file():
            keep(folder / FACTS, text.encode())
        return folder


class Cache:
    """All videos that runs were made of.

    Args:
        root: the folder; the user's own cache if None.
    """

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or cache_folder("videos")

    @contextlib.contextmanager
    def video(
        self, sha256: str, name: str, waiting: Callable[[], None] | None = None
    ) -> Iterator[VideoCache]:
        """The folder of a video, which is ours until the block ends.

        Args:
            name: the video's file name, for people who look into the folder.
            waiting: called once if another process works on it; the block then waits for that.

        Raises:
            BusyError: another process works on it, and `waiting` is None.
            OutputError: the cache cannot be written.
        """
        check_installed("the cache", "all", {"filelock": "filelock"})
        from filelock import FileLock, Timeout

        folder = self.root / sha256[:24]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / NAME).write_text(name + "\n", "utf-8", "backslashreplace")
            lock = FileLock(folder / LOCK)
            try:
                lock.acquire(blocking=False)
            except Timeout:
                if waiting is None:
                    raise BusyError(f"another tsr works on {name}") from None
                waiting()
                lock.acquire(poll_interval=0.5)
        except OSError as error:
            raise OutputError(
                f"the cache {self.root} cannot be written ({error.strerror or error}); choose "
                "another with --cache"
            ) from error
        try:
            yield VideoCache(folder)
        finally:
            lock.release()

    def videos(self) -> list[Path]:
        """The folders of all videos, the last used one first."""
        if not self.root.is_dir():
            return []
        found = [folder for folder in self.root.iterdir() if (folder / NAME).is_file()]
        return sorted(found, key=lambda f: (f / NAME).stat().st_mtime, reverse=True)

    def clear(self) -> int:
        """Remove all videos that nobody works on; returns the bytes."""
        freed = 0
        for folder in self.videos():
            name = (folder / NAME).read_text("utf-8").strip()
            with contextlib.suppress(BusyError), self.video(folder.name, name):
                freed += num_bytes(folder)
                # The lock stays: who waits for it must not wait for a file that is gone.
                for child in folder.iterdir():
                    if child.is_dir():
                        shutil.rmtree(child, ignore_errors=True)
                    elif child.name != LOCK:
                        child.unlink(missing_ok=True)
        return freed


def num_bytes(folder: Path) -> int:
    """Bytes of all files in a folder."""
    total = 0
    for file in folder.rglob("*"):
        with contextlib.suppress(OSError):  # a file that just went away
            total += file.stat().st_size
    return total
