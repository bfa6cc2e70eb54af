"""A folder of PNG images as a clip."""

import re
from dataclasses import dataclass
from pathlib import Path

from tsr.core.errors import ClipError


@dataclass(frozen=True)
class FolderListing:
    """The images of a folder in the order they are shown."""

    path: Path
    files: tuple[Path, ...]


def list_folder(path: Path) -> FolderListing:
    """The PNG files of a folder, in natural order: frame_2 before frame_10.

    Raises:
        ClipError: no PNG file in it.
    """
    files = [file for file in path.iterdir() if file.suffix.lower() == ".png"]
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise ClipError(f"folder {path} holds no .png images; expected one per frame")
    return FolderListing(path, tuple(sorted(files, key=_natural_order)))


def _natural_order(file: Path) -> tuple[list[int | str], str]:
    # Odd parts of the split are digits, so numbers meet numbers and names meet names.
    parts = re.split(r"(\d+)", file.name.lower())
    return [int(part) if n % 2 else part for n, part in enumerate(parts)], file.name
