"""The layout of a benchmark's picture: a column per method, a block of rows per video."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.methods import OURS
from benchmarks.quality_md import title
from tsr.core.drawing import ACCENT, FAINT, INK, PAPER, arrow_down, draw_text, font, mark_row
from tsr.core.outputs import completed

if TYPE_CHECKING:
    from PIL.Image import Image

HEADS = {
    "truth": ("Truth", "a fast camera"),
    "nearest": ("Slow input", "what the slow camera saw"),
    "linear": ("Linear", "neighbours mixed"),
    "cubic_bp": ("Cubic + BP", "with back-projection"),
    "minterpolate": ("minterpolate", "FFmpeg: moved blocks"),
    "rife": ("RIFE", "trained on other videos"),
}
"""Name and explanation of each column; ours are made from the method's name."""

PANEL_WIDTH = 236
MARGIN, GAP, LABEL = 28, 10, 168
TITLE_HEIGHT, HEAD_HEIGHT = 84, 58


class Sheet:
    """A picture that is filled panel by panel.

    Args:
        columns: methods, or "truth", from left to right.
        title, subtitle: ASCII, as all texts here.
        blocks: how many videos. block_height: pixels of each.
    """

    def __init__(
        self, columns: Sequence[str], title: str, subtitle: str, blocks: int, block_height: int
    ) -> None:
        from PIL import Image, ImageDraw

        self.columns = list(columns)
        self.block_height = block_height
        texts = max(font(30).getlength(title), font(18).getlength(subtitle))
        width = max(self._x(len(self.columns)) - GAP, MARGIN + round(texts)) + MARGIN
        height = self.top(blocks) + MARGIN
        self._image = Image.new("RGB", (width, height), PAPER)
        self._pen = ImageDraw.Draw(self._image)
        draw_text(self._pen, MARGIN, MARGIN - 6, title, 30, INK)
        draw_text(self._pen, MARGIN, MARGIN + 36, subtitle, 18, FAINT)
        for name in self.columns:
            head, explanation = heading(name)
            y = MARGIN + TITLE_HEIGHT
            self.text(name, y, head, 23)
            self.text(name, y + 29, explanation, 15, None if is_ours(name) else FAINT)

    def top(self, block: int) -> int:
        """Where a block of rows begins."""
        return MARGIN + TITLE_HEIGHT + HEAD_HEIGHT + block * self.block_height

    def label(self, y: int, head: str, *lines: str) -> None:
        """Words at the left of a row; `head` may be empty."""
        if head:
            draw_text(self._pen, MARGIN, y, head, 19, INK)
            y += 26
        for number, line in enumerate(lines):
            draw_text(self._pen, MARGIN, y + 20 * number, line, 15, FAINT)

    def time_arrow(self, y: int, height: int) -> None:
        """Time runs down, beside a row of slices."""
        arrow_down(self._pen, MARGIN + LABEL - 16, y + 4, y + height - 4)

    def panel(
        self, name: str, y: int, image: "Image", *, mark: float | None = None, framed: bool = False
    ) -> None:
        """An image in a method's column, with triangles at the share `mark` of its height."""
        x = self._x(self.columns.index(name))
        self._image.paste(image, (x, y))
        if framed:
            corners = (x, y, x + image.width - 1, y + image.height - 1)
            self._pen.rectangle(corners, outline=(215, 217, 222))
        if mark is not None:
            mark_row(self._pen, (x, y), image.size, mark)

    def text(
        self,
        name: str,
        y: int,
        line: str,
        size: int,
        colour: tuple[int, int, int] | None = None,
    ) -> None:
        """A line in a method's column; what is ours stands out when no colour is given."""
        colour = colour or (ACCENT if is_ours(name) else INK)
        draw_text(self._pen, self._x(self.columns.index(name)), y, line, size, colour)

    def save(self, path: Path) -> None:
        """Write the picture; it appears only when complete."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with completed(path) as temporary:
            self._image.save(temporary)

    def _x(self, column: int) -> int:
        return MARGIN + LABEL + column * (PANEL_WIDTH + GAP)


def is_ours(method: str) -> bool:
    """Whether a method is a training of ours."""
    return method.startswith(OURS)


def heading(method: str) -> tuple[str, str]:
    """A column's name and explanation."""
    if is_ours(method):
        _, preset, *changes = title(method).split(", ")
        return f"Ours ({preset})", ", ".join(changes) or "trained on this input"
    return HEADS[method]
