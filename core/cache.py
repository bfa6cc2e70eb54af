"""Where the user's machine keeps what is dear to make again: kernels, engines, timings."""

import os
from pathlib import Path

from tsr.core.errors import OutputError
from tsr.core.outputs import completed


def cache_folder(name: str) -> Path:
    """The folder of one kind of thing, under $XDG_CACHE_HOME or ~/.cache; it need not exist."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tsr" / name


def file_name(*facts: str) -> str:
    """Facts that a cached file depends on, as one readable file name."""
    words = "-".join(facts).lower()
    return "".join(letter if letter.isalnum() or letter in "-._" else "-" for letter in words)


def keep(path: Path, data: bytes) -> None:
    """Write a cached file, whole or not at all.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {path.parent}: {error.strerror or error}") from error
    with completed(path) as temporary:
        temporary.write_bytes(data)


def keep_if_possible(path: Path, data: bytes) -> str | None:
    """`keep` what is only made faster by it the next time; returns why it could not be kept."""
    try:
        keep(path, data)
    except OutputError as error:
        return str(error)
    return None
