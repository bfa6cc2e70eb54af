"""What killed processes left behind, told apart from what living ones still need.

Temporary names carry a mark: the machine that process numbers belong to, and the number. A process
that is asked nothing more (kill -9, a power cut) cannot tidy up; the next one that works at the
same place does.
"""

import contextlib
import functools
import hashlib
import os
import re
import shutil
import socket
from pathlib import Path


def mark() -> str:
    """This process's part of a temporary name."""
    return f"{_machine()}-{os.getpid()}"


@functools.cache
def _machine() -> str:
    """8 hexadecimal digits for whatever shares process numbers: on a disk that several machines or
    containers write to, a number says nothing about those of the others."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux: one space per machine
        space = ""
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:8]


def remove_leftovers(folder: Path, before: str, after: str) -> None:
    """Remove files and folders named `before` + mark + `after` of processes that are no more.

    What belongs to another user or machine, and what cannot be removed, stays.

    Args:
        before, after: the rest of the name; `after` may be just its beginning if it ends in a
            hyphen.
    """
    if os.name != "posix":  # elsewhere asking for a process may end it
        return
    rest = re.escape(after) + (".*" if after.endswith("-") else "")
    pattern = re.compile(rf"{re.escape(before)}{_machine()}-(\d{{1,9}}){rest}", re.DOTALL)
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = pattern.fullmatch(entry.name)
            if found and not _lives(int(found[1])):
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_uid == os.getuid():
                        remove(Path(entry.path))


def _lives(process: int) -> bool:
    """Whether a process of this number runs, whoever's."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
