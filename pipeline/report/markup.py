"""The smallest pieces of the page. Every string from outside goes through `text`."""

from collections.abc import Iterable, Sequence
from html import escape

NUMBER, WRAP, KEEP = "num", "wrap", "keep"
"""Styles of a table's column: figures, text that may wrap, text that must not."""


def text(value: object) -> str:
    """Any value as text, harmless inside an element and inside a quoted attribute."""
    return escape(str(value), quote=True)


def section(name: str, title: str, *content: str) -> str:
    """A part of the page that the contents can point at."""
    return f'<section id="{name}"><h2>{text(title)}</h2>{"".join(content)}</section>'


def paragraph(line: str, style: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{style}">{text(line)}</p>' if style else f"<p>{text(line)}</p>"


def figure(content: str, caption: str, style: str = "plain") -> str:
    """Content with plain text under it."""
    return f'<figure class="{style}">{content}<figcaption>{text(caption)}</figcaption></figure>'


def image(source: str, description: str) -> str:
    """A picture; `description` for those who do not see it."""
    return f'<img src="{source}" alt="{text(description)}">'


def table(head: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]]) -> str:
    """A table of plain text.

    Args:
        head: per column its name and style.
    """
    styles = [f' class="{style}"' if style else "" for _, style in head]
    names = "".join(
        f'<th scope="col"{style}>{text(name)}</th>'
        for (name, _), style in zip(head, styles, strict=True)
    )
    lines = []
    for row in rows:
        cells = zip(row, styles, strict=True)
        lines.append("<tr>" + "".join(f"<td{s}>{text(v)}</td>" for v, s in cells) + "</tr>")
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{names}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def pairs(rows: Iterable[tuple[object, object]]) -> str:
    """A table of names and what belongs to them, plain text."""
    lines = (
        f'<tr><th scope="row">{text(name)}</th><td class="wrap">{text(value)}</td></tr>'
        for name, value in rows
    )
    return f'<div class="scroll"><table><tbody>{"".join(lines)}</tbody></table></div>'


def timecode(seconds: float) -> str:
    """Hours where there are any, minutes, seconds to the millisecond: `1:02:03.040`, `0:03.040`."""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(abs(thousandths), 60_000)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if thousandths < 0 else ""
    clock = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{sign}{clock}:{rest // 1000:02d}.{rest % 1000:03d}"


def decibels(value: float | None) -> str:
    """A PSNR, or a dash."""
    return "–" if value is None else f"{value:.2f} dB"
