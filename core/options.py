"""Options that several commands have, in the same words."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import click

from tsr.core.exposure import DELTA, FULL


class ExposureType(click.ParamType):  # type: ignore[type-arg]  # generic in new releases only
    """`full`, `delta`, or a fraction of the frame interval above 0 and up to 1, as a float.

    Args:
        auto: the word `auto` is taken, too, and left as it is.
    """

    name = "exposure"

    def __init__(self, *, auto: bool = False) -> None:
        self._words: dict[str, float | str] = {"full": FULL, "delta": DELTA}
        if auto:
            self._words["auto"] = "auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The fraction, or `auto`."""
        if value in self._words:
            return self._words[value]
        try:
            fraction = float(Fraction(value))  # 0.5 and 1/2 alike
        except (ValueError, ZeroDivisionError):
            fraction = DELTA
        if not DELTA < fraction <= FULL:
            words = ", ".join(self._words)
            self.fail(
                f"{value} is no exposure; give {words}, or a fraction such as 0.5", param, ctx
            )
        return fraction


START_SCALE = click.Choice(["1/16", "1/8", "1/4", "1/2", "1"])
"""`core.ladder.START_SCALES`, for `--start-scale`."""

device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto takes a GPU if there is one that can be used.",
)
"""Where a command computes; the same words for all."""

deinterlace_option = click.option(
    "--deinterlace",
    type=click.Choice(["auto", "off"]),
    default="auto",
    show_default=True,
    help="auto deinterlaces what is flagged as interlaced; off takes each frame as it is, for "
    "clips whose flag is wrong.",
)
"""Whether the flag of interlaced clips is believed."""


def exposure_option(estimate: str | None = None) -> Callable[..., Any]:
    """`--exposure`; without `estimate` it is the model's unless the user says another.

    Args:
        estimate: how `auto` finds it, where that is offered; full is the default then.
    """
    words = "Part of a frame interval that the shutter was open for"
    if estimate is None:
        return click.option(
            "--exposure",
            type=ExposureType(),
            metavar="full|delta|FRACTION",
            help=f"{words}; delta: an instant. [default: the model's]",
        )
    return click.option(
        "--exposure",
        type=ExposureType(auto=True),
        metavar="full|delta|auto|FRACTION",
        default="full",
        show_default=True,
        help=f"{words}; delta: an instant, auto: {estimate}, full if that is not sure.",
    )
