"""What every command shares: exit codes, one line, progress, durations."""

import contextlib
import signal
from collections.abc import Callable

import click
import pytest
from click.testing import CliRunner

from tsr.core.console import Progress, command, duration, percent
from tsr.core.errors import ClipError, ModelError, OutputError, SettingsError, TsrError
from tsr.core.options import ExposureType


def failing_with(error: BaseException) -> click.Command:
    @command(name="tsr-try")
    def main() -> None:
        """Try."""
        raise error

    return main


@pytest.mark.parametrize("kind", [TsrError, ClipError, OutputError, ModelError, SettingsError])
def test_a_failure_is_one_line_and_status_1(kind: type[TsrError]) -> None:
    """The command's name and the message on standard error; nothing on standard output."""
    result = CliRunner().invoke(failing_with(kind("clip.mp4 is\n\n damaged")), [])
    assert result.exit_code == 1
    assert result.stderr == "tsr-try: clip.mp4 is damaged\n"
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyboardInterrupt(), "interrupted; nothing was written"),
        (MemoryError(), "out of memory"),
        (BrokenPipeError(), "went away"),
        (OSError(40, "Too many levels of symbolic links", "a.mp4"), "a.mp4: Too many levels"),
    ],
)
def test_interruptions_are_one_line_and_status_1(error: BaseException, words: str) -> None:
    """Ctrl-C, exhausted memory and a closed pipe are no tracebacks."""
    result = CliRunner().invoke(failing_with(error), [])
    assert result.exit_code == 1
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_ctrl_c_that_a_library_made_its_own_error_of_is_still_ctrl_c() -> None:
    """Extension modules wrap what interrupts their import, and callbacks from C swallow it."""

    @command(name="tsr-try")
    def wrapped() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            raise SystemError("initialisation failed") from error

    @command(name="tsr-try")
    def swallowed() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        Progress("work").show("half done")

    before = signal.getsignal(signal.SIGINT)
    for main in (wrapped, swallowed):
        result = CliRunner().invoke(main, [])
        assert result.exit_code == 1
        assert result.stderr == ("tsr-try: interrupted; nothing was written under the final name\n")
    assert signal.getsignal(signal.SIGINT) is before


def test_names_that_are_no_text_are_printed_as_their_bytes() -> None:
    """Linux lets a file's name be any bytes."""

    @command(name="tsr-try")
    def main() -> None:
        click.echo("\udcff.mp4")

    result = CliRunner().invoke(main, [])
    assert result.exit_code == 0
    assert result.stdout_bytes == b"\xff.mp4\n"


def test_a_bug_stays_a_traceback() -> None:
    """What no user can cause is not dressed up as a user's error."""
    result = CliRunner().invoke(failing_with(ZeroDivisionError("bug")), [])
    assert isinstance(result.exception, ZeroDivisionError)
    result = CliRunner().invoke(failing_with(EOFError()), [])
    assert isinstance(result.exception, RuntimeError)
    assert "Aborted!" not in result.stderr


def test_wrong_usage_is_status_2() -> None:
    """An option that does not exist shows the usage."""
    result = CliRunner().invoke(failing_with(TsrError("unreached")), ["--nonsense"])
    assert result.exit_code == 2
    assert "Usage: tsr-try" in result.stderr
    assert "--nonsense" in result.stderr


@pytest.mark.parametrize("option", ["-h", "--help", "--version"])
def test_questions_are_answered_with_status_0(option: str) -> None:
    """Help has a short form, and the version is the package's."""
    result = CliRunner().invoke(failing_with(TsrError("unreached")), [option])
    assert result.exit_code == 0
    assert result.stdout


def test_progress_prints_plain_lines_when_piped(capfd: pytest.CaptureFixture[str]) -> None:
    """One line per interval, the last one always, none of them on standard output."""
    progress = Progress("run", every_seconds=1000)
    progress.show("1 frame")
    progress.show("2 frames")
    progress.done("3 frames")
    found = capfd.readouterr()
    assert found.err == "run: 1 frame\nrun: 3 frames\n"
    assert found.out == ""


def test_quiet_progress_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Not even its end."""
    progress = Progress("run", quiet=True)
    progress.show("1 frame", force=True)
    progress.done("2 frames")
    assert capfd.readouterr() == ("", "")


@pytest.fixture
def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def pretend() -> None:
        import sys

        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    return pretend


def test_a_failure_starts_on_a_line_of_its_own(on_a_terminal: Callable[[], None]) -> None:
    """On a terminal the unfinished progress line is ended before the message."""

    @command(name="tsr-try")
    def main() -> None:
        """Try."""
        on_a_terminal()
        Progress("run").show("1 of 9")
        raise TsrError("no more")

    result = CliRunner().invoke(main, [])
    assert result.stderr.splitlines()[-1] == "tsr-try: no more"
    assert "1 of 9" in result.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"), (0, "0 s"), (41.6, "42 s"), (59.7, "1:00 min"), (185, "3:05 min"),
        (3599.9, "1:00 h"), (3720, "1:02 h"), (36000, "10:00 h"),
    ],
)  # fmt: skip
def test_durations_read_as_people_write_them(seconds: float, text: str) -> None:
    """Seconds, then minutes and seconds, then hours and minutes."""
    assert duration(seconds) == text


def test_shares_read_as_people_write_them() -> None:
    """Small ones with two digits, so that a beginning shows."""
    assert [percent(s) for s in (0, 0.0031, 0.124, 1)] == ["0 %", "0.31 %", "12 %", "100 %"]


@pytest.mark.parametrize(
    ("word", "value"), [("full", 1.0), ("delta", 0.0), ("0.5", 0.5), ("1/4", 0.25), ("1", 1.0)]
)
def test_exposures_are_words_or_fractions(word: str, value: float) -> None:
    """As a float, whichever way it was said."""
    assert ExposureType().convert(word, None, None) == value


@pytest.mark.parametrize("word", ["0", "1.5", "-0.5", "abc", "nan", "1/0", "", "auto"])
def test_what_is_no_exposure_is_refused(word: str) -> None:
    """With what would do; `auto` only where something can estimate it."""
    with pytest.raises(click.BadParameter, match=f"^{word} is no exposure; give full, delta, or"):
        ExposureType().convert(word, None, None)
    assert ExposureType(auto=True).convert("auto", None, None) == "auto"


def test_the_version_names_what_computes() -> None:
    """A report of a problem needs both."""
    from click.testing import CliRunner

    from tsr.runtime.cli import main

    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("tsr 0.")
    assert "onnxruntime " in result.stdout
