"""What every command shares: one-line failures, exit codes, progress, shell-friendly output.

Exit status: 0 done · 1 the work failed or was interrupted, said in one line · 2 wrong usage.
"""

import contextlib
import importlib.util
import io
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, Self

import click

from tsr.core.errors import SettingsError, TsrError, refusal
from tsr.core.pipes import STANDARD, is_pipe, spooled
from tsr.core.versions import versions


class _NamedPath(click.Path):
    """A path with a name: an empty one would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty", param, ctx)
        return super().convert(value, param, ctx)


InPath = _NamedPath(path_type=Path)
"""A path a user names. Existence is checked where it is opened, with a message that helps."""


class ClipPath(_NamedPath):
    """A clip to be read: a file, a folder of images, `-` for standard input, or a named pipe."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, allow_dash=True)


def check_standard_output(output: Path | None, as_json: bool) -> None:
    """Refuse to print a result where the video goes."""
    if as_json and output == STANDARD:
        raise click.UsageError("--json and -o - would both write to standard output")


def check_tile(tile: tuple[int, int, int] | None) -> None:
    """Refuse a `--tile` (frames, rows, columns) that is none, or holds half a pair of frames."""
    if tile is not None and (min(tile) < 2 or tile[0] % 2):
        raise click.BadParameter(
            f"{tile} is not a tile; give an even number of frames and at least 2 rows and columns",
            param_hint="--tile",
        )


class Command(click.Command):
    """A click command that turns `TsrError` and Ctrl-C into one line and exit status 1.

    Args:
        loads: module that takes long to import. That is done once the command line is understood,
            and until then Ctrl-C ends the process at once: no import can be interrupted cleanly.
    """

    def __init__(self, *arguments: Any, loads: str | None = None, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self.loads = loads

    def invoke(self, ctx: click.Context) -> Any:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A file's name may be bytes that are no text; they are printed as they are.
            sys.stdout.reconfigure(errors="surrogateescape")
        interrupted = f"{ctx.info_name}: interrupted; nothing was written under the final name"
        with Interrupts() as interrupts:
            try:
                # What is not installed the command itself will miss, with a word on how to get it.
                with contextlib.suppress(ImportError):
                    importlib.import_module(self.loads or __name__)
                interrupts.become_exceptions()
                with contextlib.ExitStack() as kept:
                    self._keep_pipes(ctx, kept)
                    return super().invoke(ctx)
            except TsrError as error:
                _fail(f"{ctx.info_name}: {error}")
            except KeyboardInterrupt:
                _fail(interrupted)
            except MemoryError as error:
                why = f" ({error})" if str(error) else ""
                _fail(
                    f"{ctx.info_name}: out of memory{why}; close other programs or use a smaller "
                    "input"
                )
            except BrokenPipeError:
                _fail(f"{ctx.info_name}: the program reading the output went away")
            except OSError as error:
                _fail(f"{ctx.info_name}: {refusal(error)}")
            except Exception as error:
                if Interrupts.pressed:
                    _fail(interrupted)  # a library's C code has made an error of its own of it
                if isinstance(error, EOFError):  # click would take it for Ctrl-D, without a word
                    raise RuntimeError("a file ends where more was expected") from error
                raise

    def _keep_pipes(self, ctx: click.Context, kept: contextlib.ExitStack) -> None:
        """Put files in the place of clips that come through pipes."""
        for parameter in self.params:
            given = ctx.params.get(parameter.name or "")
            if not isinstance(parameter.type, ClipPath) or given is None:
                continue
            clips = given if isinstance(given, tuple) else (given,)
            pipes = [clip for clip in clips if is_pipe(clip)]
            if not pipes:
                continue
            if isinstance(parameter, click.Argument) and ctx.params.get("output", pipes) is None:
                raise SettingsError(
                    "a clip from a pipe has no name that the output's could be made of; give -o"
                )
            files = {clip: kept.enter_context(spooled(clip)) for clip in dict.fromkeys(pipes)}
            found = tuple(files.get(clip, clip) for clip in clips)
            ctx.params[parameter.name or ""] = found if isinstance(given, tuple) else found[0]


class Interrupts:
    """What Ctrl-C does while a command runs: at first it ends the process, without a word."""

    pressed = False
    """Whether it was pressed. Callbacks from C swallow the exception, so `Progress` looks here."""

    def __enter__(self) -> Self:
        Interrupts.pressed = False
        # Only the main thread may say what signals do.
        self._ours = threading.current_thread() is threading.main_thread()
        if self._ours:
            self._before = signal.signal(signal.SIGINT, signal.SIG_DFL)
        return self

    def become_exceptions(self) -> None:
        """From now on Ctrl-C raises `KeyboardInterrupt`."""
        if self._ours:
            signal.signal(signal.SIGINT, self._raise)

    @staticmethod
    def _raise(number: int, frame: FrameType | None) -> None:
        Interrupts.pressed = True
        raise KeyboardInterrupt

    def __exit__(self, *raised: object) -> None:
        if self._ours:
            signal.signal(signal.SIGINT, self._before)


def _fail(line: str) -> NoReturn:
    Progress.end_line()
    click.echo(" ".join(line.split()), err=True)
    raise click.exceptions.Exit(1)


def command(**attributes: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """`click.command` with the project's error handling, `-h` and `--version`."""

    def wrap(function: Callable[..., Any]) -> click.Command:
        wrapped = click.option(
            "--version",
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show the version, and those of what computes, and exit.",
        )(function)
        settings = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
        kind: type[click.Command] = attributes.pop("cls", Command)
        return click.command(cls=kind, context_settings=settings, **attributes)(wrapped)

    return wrap


def _show_version(ctx: click.Context, parameter: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        found = versions()
        others = ", ".join(f"{name} {found[name]}" for name in found if name != "tsr")
        click.echo(f"tsr {found['tsr']} ({others})")
        ctx.exit()


def check_installed(what: str, extra: str, packages: dict[str, str]) -> None:
    """Raise `SettingsError` unless all modules that `what` needs can be imported.

    Args:
        extra: what installs them. packages: their names by module.
    """
    missing = [
        name for module, name in packages.items() if importlib.util.find_spec(module) is None
    ]
    if missing:
        raise SettingsError(
            f"{what} needs {', '.join(missing)}: pip install 'zero-shot-tsr[{extra}]'"
        )


class Progress:
    """One line of progress on standard error: rewritten on a terminal, plain lines when piped.

    Args:
        what: the stage, shown first.
        every_seconds: shortest time between two plain lines; a terminal is refreshed 5 times a
            second.
        quiet: print nothing.
    """

    _unfinished = False
    """Whether the terminal's cursor stands behind a line of progress, whoever showed it."""

    def __init__(self, what: str, *, every_seconds: float = 10.0, quiet: bool = False) -> None:
        self.what = what
        self.quiet = quiet
        self.terminal = sys.stderr.isatty()
        self.interval = 0.2 if self.terminal else every_seconds
        self.started = time.monotonic()
        self._last = -float("inf")
        self._width = 0

    @property
    def seconds(self) -> float:
        """Seconds since the stage began."""
        return time.monotonic() - self.started

    def show(self, text: str, *, force: bool = False) -> None:
        """Show `text` if the last line is old enough, or in any case with `force`."""
        if Interrupts.pressed and not force:
            raise KeyboardInterrupt
        now = time.monotonic()
        if self.quiet or (not force and now - self._last < self.interval):
            return
        self._last = now
        line = f"{self.what}: {text}"
        if self.terminal:
            click.echo("\r" + line.ljust(self._width), err=True, nl=False)
            self._width = len(line)
            Progress._unfinished = True
        else:
            click.echo(line, err=True)

    def done(self, text: str) -> None:
        """Show the last line of the stage and end it."""
        self.show(text, force=True)
        self.end_line()

    @staticmethod
    def end_line() -> None:
        """Leave the line that is being rewritten, so that what follows has its own."""
        if Progress._unfinished:
            click.echo(err=True)
        Progress._unfinished = False


def duration(seconds: float) -> str:
    """Seconds as people read them: `42 s`, `3:05 min`, `1:02 h`."""
    whole = round(max(seconds, 0.0))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def percent(share: float) -> str:
    """A share as people read it: `0 %`, `0.3 %`, `12 %`."""
    return f"{100 * share:.2g} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"
