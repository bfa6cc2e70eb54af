"""The documents' figures, made from the code, so that they cannot show what it does not do.

python docs/make_figures.py                  images/ladder.svg, which tests/test_docs.py compares
python docs/make_figures.py --demo out/demo  also the pictures of the demo and of its report, from
                                             what `make demo` left; needs chromium
"""

import io
import shutil
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tsr.core.ladder import NetworkPass, Rung, ScaleLadder

if TYPE_CHECKING:
    from PIL.Image import Image

DOCS = Path(__file__).parent
COLUMN, ROW, LEFT, TOP = 190, 118, 96, 74
"""Pixels of the ladder's grid, and of what stands at its left and above."""
FRAME = 88
"""Width of a frame of full size."""

INK, FAINT, ACCENT, SIZE = "#1c1e24", "#6e727c", "#c44220", "#2f6f8f"


def ladder_svg(ladder: ScaleLadder) -> str:
    """The steps of a ladder: to the right the frame rate doubles, upwards the size."""
    scales = [Fraction(1, 2**n) for n in range(ladder.halvings + 1)]  # full size first
    rates = [2**n for n in range(ladder.factor.bit_length())]
    width = LEFT + COLUMN * len(rates) + 24
    height = TOP + ROW * len(scales) + 26

    def place(rung: Rung) -> tuple[int, int]:
        row, column = scales.index(rung.s), rates.index(rung.t)
        return LEFT + COLUMN * column + COLUMN // 2 - 14, TOP + ROW * row + ROW // 2

    parts = [f'<rect width="{width}" height="{height}" fill="#ffffff" rx="12"/>']
    for column, rate in enumerate(rates):
        x = LEFT + COLUMN * column + COLUMN // 2 - 14
        parts.append(_text(x, 30, f"T×{rate}", INK, 17, "middle"))
        name = "the input's rate" if rate == 1 else f"{rate} times as many frames"
        parts.append(_text(x, 49, name, FAINT, 12.5, "middle"))
    for row, scale in enumerate(scales):
        parts.append(_text(18, TOP + ROW * row + ROW // 2 + 5, f"S×{scale}", INK, 17))
    for scale in scales[1:]:
        at, above = place(Rung(scale, 1)), place(Rung(scale * 2, 1))
        parts.append(_arrow((above[0], above[1] + 40), (at[0], at[1] - 30), FAINT, dashed=True))
    parts.append(_text(place(Rung(Fraction(1), 1))[0] + 12, TOP + ROW + 2, "halved", FAINT, 12.5))
    parts += [
        _step(place(step.before), place(step.after), isinstance(step, NetworkPass))
        for step in ladder.steps
    ]
    rungs = [*(Rung(scale, 1) for scale in scales), *(step.after for step in ladder.steps)]
    end = Rung(Fraction(1), ladder.factor)
    parts += [_frames(rung, place(rung), last=rung == end) for rung in rungs]
    title = f"from S×{ladder.start} to ×{ladder.factor}: {ladder}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="system-ui, sans-serif"><title>{title}</title>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _frames(rung: Rung, at: tuple[int, int], *, last: bool) -> str:
    """A stack of as many frames as the rate says, of the rung's size."""
    wide = FRAME * float(rung.s) ** 0.62  # true scale would leave nothing to see of an eighth
    tall = wide * 0.62
    colour = ACCENT if last else INK
    cards = []
    for n in reversed(range(rung.t)):
        off = 3.5 * (n - (rung.t - 1) / 2)
        cards.append(
            f'<rect x="{at[0] - wide / 2 + off:.1f}" y="{at[1] - tall / 2 - off:.1f}" '
            f'width="{wide:.1f}" height="{tall:.1f}" rx="2" fill="#ffffff" stroke="{colour}" '
            f'stroke-width="{2 if last else 1.3}"/>'
        )
    return "".join(cards)


def _step(before: tuple[int, int], after: tuple[int, int], network: bool) -> str:
    if network:
        start, end = (before[0] + 62, before[1]), (after[0] - 62, after[1])
        middle = (start[0] + end[0]) / 2
        return _arrow(start, end, ACCENT) + _text(
            middle, start[1] - 9, "network", ACCENT, 13, "middle"
        )
    start, end = (before[0], before[1] - 34), (after[0], after[1] + 44)
    label = _text(start[0] + 12, (start[1] + end[1]) / 2 + 5, "back-projection", SIZE, 13)
    return _arrow(start, end, SIZE) + label


def _arrow(
    start: tuple[float, float], end: tuple[float, float], colour: str, *, dashed: bool = False
) -> str:
    along = (end[0] > start[0]) - (end[0] < start[0]), (end[1] > start[1]) - (end[1] < start[1])
    back = end[0] - 8 * along[0], end[1] - 8 * along[1]
    side = 4.5 * along[1], 4.5 * along[0]
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    points = f"{end[0]},{end[1]} {back[0] + side[0]},{back[1] + side[1]} "
    points += f"{back[0] - side[0]},{back[1] - side[1]}"
    return (
        f'<path d="M{start[0]} {start[1]}L{back[0]} {back[1]}" stroke="{colour}" '
        f'stroke-width="2"{dash}/><polygon points="{points}" fill="{colour}"/>'
    )


def _text(x: float, y: float, text: str, colour: str, size: float, anchor: str = "start") -> str:
    place = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" fill="{colour}">{text}</text>'


def demo_images(demo: Path) -> None:
    """The demo's picture, and two parts of its run's report as chromium shows them."""
    from PIL import Image

    images = DOCS / "images"
    _store(Image.open(demo / "comparison.png"), images / "demo.png")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        _write_report(demo, page)
        for place, shot in _photographs(page).items():
            _store(Image.open(io.BytesIO(shot)), images / f"{place}.png")


def _store(picture: "Image", path: Path) -> None:
    """256 colours and 1120 columns are enough for a page, and a third of the bytes."""
    height = round(picture.height * 1120 / picture.width)
    picture.convert("RGB").resize((1120, height)).quantize(256).save(path, optimize=True)


def _write_report(demo: Path, page: Path) -> None:
    import json

    from tsr.core.clip_io import probe
    from tsr.pipeline.record import RunRecord, ShotRecord
    from tsr.pipeline.report.story import write_report

    made = json.loads((demo / "report.json").read_text("utf-8"))
    training = made["training"]
    shot = ShotRecord(
        start=0,
        stop=probe(demo / "slow.mkv").num_frames,
        source="trained",
        reason="one shot",
        psnr=training["validation_psnr"],
        psnr_cubic=training["validation_psnr_cubic"],
    )
    write_report(
        RunRecord(
            input=demo / "slow.mkv",
            output=demo / "ours.mkv",
            factor=8,
            ladder=str(made["run"]["ladder"]),
            precision="fp32",
            backend="CPU",
            settings={},
            shots=(shot,),
            seconds={"total": made["seconds"]["total"]},
            versions={},
        ),
        page,
    )


def _photographs(page: Path) -> dict[str, bytes]:
    """PNG of the report's first moment and of its slices, by the machine's own chromium."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or sys.exit("the pictures of the report need chromium")
    places = {"report": ".moment >> nth=0", "slices": ".slices >> nth=0"}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shown = browser.new_page(viewport={"width": 900, "height": 900}, color_scheme="light")
        shown.goto(page.as_uri())
        shown.locator("details").first.evaluate("element => element.open = false")
        taken = {name: shown.locator(place).screenshot() for name, place in places.items()}
        browser.close()
    return taken


@click.command()
@click.option("--demo", type=click.Path(path_type=Path, exists=True), help="Folder of make demo.")
def main(demo: Path | None) -> None:
    """Draw the documents' figures."""
    ladder = ScaleLadder(Fraction(1, 8), 8)
    (DOCS / "images" / "ladder.svg").write_text(ladder_svg(ladder), "utf-8")
    if demo:
        demo_images(demo)


if __name__ == "__main__":
    main()
