"""Charts as inline SVG: axes with units, colours from the page's style sheet."""

from collections.abc import Sequence
from html import escape
from math import floor, log10

WIDTH, HEIGHT = 440, 230
LEFT, RIGHT, TOP, BOTTOM = 52, 18, 14, 44
"""Space for the axes' figures and names."""

Point = tuple[float, float]


def curve(points: Sequence[Point], level: float | None, *, label: str, names: "Axes") -> str:
    """A curve, and a level to compare it with as a dashed line.

    Args:
        points: (x, y) in order of x.
        level: y of the dashed line, None for none.
        label: what the chart shows, in words, for those who do not see it.
    """
    heights = [y for _, y in points] + ([] if level is None else [level])
    across = Scale(0.0, max(x for x, _ in points), LEFT, WIDTH - RIGHT)
    up = Scale(*_padded(min(heights), max(heights)), HEIGHT - BOTTOM, TOP)
    path = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
    x, y = points[-1]
    parts = [_grid(across, up, names), f'<polyline class="line" points="{path}"/>']
    if level is not None:
        at = up(level)
        parts.insert(1, f'<path class="level" d="M{LEFT} {at:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(_text(WIDTH - RIGHT, at - 5, names.level, "end", "level-name"))
    parts.append(f'<circle class="dot" cx="{across(x):.1f}" cy="{up(y):.1f}" r="3.5"/>')
    return _svg("".join(parts), label)


def bars(values: Sequence[Point], top: float, *, label: str, names: "Axes", first: float) -> str:
    """A bar from the ground up to each (x, y); y from 0 to `top`, x from `first` on."""
    last = max(x for x, _ in values)
    across = Scale(first, max(last, first + 1e-6), LEFT + 6, WIDTH - RIGHT - 6)
    up = Scale(0.0, top, HEIGHT - BOTTOM, TOP)
    wide = max(2.0, min(14.0, 0.7 * (WIDTH - LEFT - RIGHT) / max(len(values), 1)))
    drawn = [
        f'<rect class="bar" x="{across(x) - wide / 2:.1f}" y="{up(y):.1f}" width="{wide:.1f}" '
        f'height="{up(0) - up(y):.1f}"/>'
        for x, y in values
        if y > 0
    ]
    return _svg(_grid(across, up, names) + "".join(drawn), label)


class Axes:
    """Names of the axes with their units, and of the dashed line."""

    def __init__(self, x: str, y: str, level: str = "") -> None:
        self.x, self.y, self.level = x, y, level


class Scale:
    """From values to places in the picture."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int) -> list[float]:
        """At most so many round values within the scale."""
        raw = (self.high - self.low) / most
        power = 10.0 ** floor(log10(raw)) if raw > 0 else 1.0
        step = next(step * power for step in (1, 2, 5, 10) if step * power >= raw)
        first = -floor(-self.low / step + 1e-9)
        count = floor((self.high - first * step) / step + 1e-9) + 1
        return [(first + n) * step for n in range(count)]


def _padded(low: float, high: float) -> Point:
    room = max((high - low) * 0.08, 0.1)
    return low - room, high + room


def _grid(across: Scale, up: Scale, names: Axes) -> str:
    lines = []
    for value in up.ticks(5):
        y = up(value)
        lines.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        lines.append(_text(LEFT - 7, y + 4, f"{value:g}", "end"))
    below = HEIGHT - BOTTOM + 17
    lines += [_text(across(value), below, f"{value:g}", "middle") for value in across.ticks(5)]
    lines.append(f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    lines.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 7, names.x, "middle", "name"))
    turned = f'transform="rotate(-90 13 {HEIGHT / 2})"'
    lines.append(_text(13, (HEIGHT - BOTTOM + TOP) / 2 + 18, names.y, "middle", "name", turned))
    return "".join(lines)


def _text(x: float, y: float, text: str, anchor: str, style: str = "tick", more: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{style}" {place} {more}>{escape(text)}</text>'


def _svg(content: str, label: str) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(label)}">{content}</svg>'
    )
