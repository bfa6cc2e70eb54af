"""Results appear under their final name only when complete."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tsr.core.errors import OutputError
from tsr.core.leftovers import mark, remove, remove_leftovers
from tsr.core.pipes import check_output_pipe, is_pipe

MAX_NAME_BYTES = 255
"""Longest name of a file on the usual disks."""


def check_output(path: Path, *, inputs: tuple[Path, ...] = (), overwrite: bool = False) -> None:
    """Refuse, before any work is done, an output that could not be written at the end.

    A pipe is written as the work goes on; only a terminal is refused.

    Raises:
        OutputError: the output is one of the inputs, exists already without `overwrite`, is a
            folder that holds more than images, or its own folder is missing or not writable.
    """
    if is_pipe(path):
        return check_output_pipe(path)
    if not path.name:
        raise OutputError(f"output {path} is a folder; choose another name with -o")
    if any(real(path) == real(given) for given in inputs):
        raise OutputError(f"output {path} is the input itself; choose another name with -o")
    try:
        exists = path.exists()
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {path}: {reason[0].lower()}{reason[1:]}") from error
    if exists and not overwrite and path.is_dir():
        raise OutputError(
            f"output {path} exists already and is a folder; give the name of a video in it, "
            f"as {path / 'NAME.mp4'}, or pass --overwrite to replace a folder of images"
        )
    if exists and not overwrite:
        raise OutputError(f"output {path} exists already; pass --overwrite or choose another name")
    if path.suffix and path.is_dir():
        raise OutputError(f"output {path} is a folder; choose another name with -o")
    _check_replaceable(path)
    parent = path.absolute().parent
    if not parent.is_dir():
        raise OutputError(f"folder {parent} does not exist; create it or choose another output")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"folder {parent} is not writable; choose another output with -o")


def named(path: Path) -> Path:
    """`path` with a name that another file's can be made of: `.` stands for a folder that has one.

    Raises:
        OutputError: it has none, as the root folder.
    """
    path = path if path.name.strip(".") else real(path)
    if not path.name:
        raise OutputError(f"{path} has no name that the output's could be made of; give -o")
    return path


def real(path: Path) -> Path:
    """Where links lead; links in circles lead nowhere, which `Path.resolve` has no OSError for."""
    return Path(os.path.realpath(path))


def is_folder(path: Path) -> bool:
    """Whether a folder is there; a name that no disk takes is said where it is opened."""
    try:
        return path.is_dir()
    except OSError:
        return False


@contextlib.contextmanager
def completed(path: Path) -> Iterator[Path]:
    """Yield a temporary name beside `path`; it becomes `path` only if the block ends well.

    The temporary name keeps the suffix, since encoders choose the container by it. Whatever the
    block leaves behind under that name is removed when it fails, be it a file or a folder; what a
    killed process left of the same output is removed before.

    Raises:
        OutputError: the disk refused the file (full, read-only, vanished folder).
    """
    before = f".{_short_stem(path)}.part-"
    temporary = path.with_name(f"{before}{mark()}{path.suffix}")
    remove_leftovers(path.parent, before, path.suffix)
    try:
        remove(temporary)  # of a process of our own number, which is no more
        yield temporary
        _keep_through_power_cuts(temporary)
        if path.is_dir() and temporary.is_dir():
            _check_replaceable(path)
            shutil.rmtree(path)
        elif path.is_file() and temporary.is_dir():
            path.unlink()
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        remove(temporary)


def _keep_through_power_cuts(path: Path) -> None:
    """Wait until a file's bytes, or those of a folder's files, are on the disk: a disk may learn of
    the final name before it has them, and would be left with an empty file of that name."""
    for file in path.iterdir() if path.is_dir() else [path]:
        with file.open("rb+") as stream:
            os.fsync(stream.fileno())


def _short_stem(path: Path) -> str:
    """As much of a name's stem as leaves room for a mark, which has 18 bytes at most."""
    stem = path.stem
    while stem and len(os.fsencode(f".{stem}.part-{path.suffix}")) + 18 > MAX_NAME_BYTES:
        stem = stem[:-1]
    return stem


def _check_replaceable(path: Path) -> None:
    """Refuse to delete a folder with anything but images in it: the name may be a slip."""
    others = (
        [file.name for file in path.iterdir() if file.suffix != ".png"] if path.is_dir() else []
    )
    if others:
        raise OutputError(
            f"folder {path} holds more than images ({min(others)}) and is not replaced; "
            "choose another output"
        )
