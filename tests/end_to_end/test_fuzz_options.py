"""Any value for any option of any command: a result, one line and status 1, or the usage and 2."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import clips
import pytest
from commands import MODULES, invoke, names, start
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(FEW, max_examples=int(os.environ.get("TSR_FUZZ", "60")))

NUMBERS = ["0", "-1", "1", "2", "3", "7", "1/8", "1/3", "nan", "inf", "-inf", "1e309", "1e-320"]
NUMBERS += ["9223372036854775808", "99999999999999999999999", "0x10", "1_000", "²", "٣", ""]
WORDS = [
    "auto",
    "cpu",
    "cuda",
    "h264",
    "av1",
    "ffv1",
    "png",
    "raw",
    "fast",
    "both",
    "8.9",
    "x" * 5000,
]
WORDS += ["-", "--", "-o", "%s", "{0}", "$(true)", "line\nbreak", "\udcff", "é😀", " ", "\t"]
PATHS = [
    "clip.mkv",
    "text.mp4",
    "empty.mkv",
    "absent.mp4",
    "folder",
    "tiny.onnx",
    "tiny.safetensors",
]
PATHS += [
    "made",
    "made.mp4",
    "made.mkv",
    "made.y4m",
    "made.xyz",
    "made.onnx",
    "made.plan",
    "made.png",
]
PATHS += [
    ".",
    "..",
    "/",
    "/dev/null",
    "nowhere/made.mp4",
    "m" * 300 + ".mp4",
    "\udcff.mp4",
    "",
    "-",
]

SHORT = {
    "tsr": ["--max-minutes", "1e-4", "--factor", "2", "--cache", "../cache"],
    "tsr-train": ["--steps", "1", "--channels", "2", "--batch", "1", "--start-scale", "1/2"],
    "tsr-run": ["--start-scale", "1/2", "--factor", "2", "--device", "cpu"],
    "tsr-export": ["--target", "tensorrt"],
    "tsr-check": ["--windows", "1"],
}
"""Given first, so that a valid command is a short one; what is drawn counts, as the last word."""

ENDLESS = {"--steps", "--max-minutes", "--channels", "--batch", "--windows"}
"""Options whose large values ask for long work, which is no failure."""


def values(option: click.Parameter, name: str) -> st.SearchStrategy[str]:
    if isinstance(option.type, click.Choice):
        return st.sampled_from([*map(str, option.type.choices), *WORDS[:6], ""])
    if isinstance(option.type, click.Path):
        return st.sampled_from(PATHS)
    pool = [*NUMBERS, *WORDS]
    if name in ENDLESS:
        pool = [value for value in pool if not value.isdecimal() or len(value) < 2]
    return st.sampled_from(pool)


@st.composite
def command_lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A command with its arguments and up to four options, each with any value."""
    name = draw(st.sampled_from(sorted(MODULES)))
    parameters = import_module(MODULES[name]).main.params
    given = [*SHORT.get(name, ())]
    options = [p for p in parameters if isinstance(p, click.Option)]
    for option in draw(st.lists(st.sampled_from(options), max_size=4)):
        word = draw(st.sampled_from([*option.opts, *option.secondary_opts]))
        if word in ("--version", "--resume"):
            continue
        count = 0 if option.is_flag else option.nargs
        given += [word, *(draw(values(option, word)) for _ in range(count))]
    arguments = [p for p in parameters if isinstance(p, click.Argument)]
    for argument in arguments:
        kind = "tiny.onnx" if argument.name == "model" and name == "tsr-run" else None
        good = kind or ("tiny.safetensors" if name in ("tsr-export", "tsr-check") else "clip.mkv")
        given.append(draw(st.one_of(st.just(good), st.sampled_from(PATHS))))
    return name, given


@pytest.fixture(scope="module")
def shelf(
    tmp_path_factory: pytest.TempPathFactory, tiny_onnx: Path, tiny_model: Path
) -> Iterator[Path]:
    """A folder with a clip, models and rubbish, in which the commands are run."""
    folder = tmp_path_factory.mktemp("shelf")
    clips.write_video(folder / "clip.mkv", clips.rotating_spokes(8, 64, 64))
    (folder / "text.mp4").write_text("no video\n" * 50)
    (folder / "empty.mkv").touch()
    (folder / "folder").mkdir()
    shutil.copy(tiny_onnx, folder / "tiny.onnx")
    shutil.copy(tiny_model, folder / "tiny.safetensors")
    with contextlib.chdir(folder):
        yield folder


def clean(folder: Path, kept: list[str]) -> list[str]:
    """What a command left in the folder beside what was there; removed."""
    left = [name for name in names(folder) if name not in kept]
    for name in left:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return left


def behaves(shelf: Path, name: str, given: list[str]) -> None:
    """Run a command and look at all that it did."""
    kept = names(shelf)
    before = {file: (shelf / file).read_bytes() for file in kept if (shelf / file).is_file()}
    result = invoke(name, *given)
    left = clean(shelf, kept)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (0, 1, 2)
    assert "Traceback" not in result.stderr
    result.stdout.encode()
    if result.exit_code == 1:
        assert result.stderr.splitlines()[-1].startswith(f"{name}: "), result.stderr
    if result.exit_code == 2:
        assert "Usage: " in result.stderr
    # `tsr-check` draws where files differ, and fails then; `tsr` goes on with other videos.
    if result.exit_code and name not in ("tsr-check", "tsr"):
        assert left == []
    assert not [file for file in left if ".part" in file]
    if "--overwrite" not in given:
        for file, data in before.items():
            assert (shelf / file).read_bytes() == data


@FEW
@given(line=command_lines())
def test_any_option(shelf: Path, line: tuple[str, list[str]]) -> None:
    """25 command lines in this process."""
    behaves(shelf, *line)


@pytest.mark.slow
@MANY
@given(line=command_lines())
def test_many_options(shelf: Path, line: tuple[str, list[str]]) -> None:
    """The same, 60 times, or as often as TSR_FUZZ says."""
    behaves(shelf, *line)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("tsr-degrade", ["\udcff.mp4", "-o", "made.mkv"]),
        ("tsr-degrade", ["/", "--overwrite"]),
        ("tsr-eval", ["clip.mkv", "é😀.mp4"]),
        ("tsr-run", ["/dev/null", "clip.mkv", "-o", "made.mp4"]),
    ],
)
def test_the_same_in_processes_of_their_own(shelf: Path, name: str, given: list[str]) -> None:
    """Bytes that are no text, characters of four bytes, devices."""
    kept = names(shelf)
    process = start(name, *given)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 1
    assert stderr.startswith(f"{name}: ")
    assert stderr.count("\n") == 1
    assert clean(shelf, kept) == []
