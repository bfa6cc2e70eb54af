"""What several tests of `core` look at."""

from pathlib import Path

import pytest
from rich_clip import write_rich


@pytest.fixture(scope="session")
def rich_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip with all that Matroska can hold beside the picture."""
    return write_rich(tmp_path_factory.mktemp("film") / "film.mkv")
