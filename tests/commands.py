"""The real command lines, in this process or in their own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from click.testing import CliRunner, Result

from tsr.pipeline import entry

MODULES = entry.COMMANDS


def invoke(name: str, *arguments: object) -> Result:
    """Run a command in this process: fast, since everything heavy is imported once."""
    main = import_module(MODULES[name]).main
    return CliRunner().invoke(main, [str(a) for a in arguments], prog_name=name)


def succeed(name: str, *arguments: object) -> Result:
    """Run a command that must end well."""
    result = invoke(name, *arguments)
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result


def refusal(name: str, *arguments: object) -> str:
    """Run a command that must fail by status 1 and one line; returns the line."""
    result = invoke(name, *arguments)
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    return checked_line(name, result.exit_code, result.stderr)


def checked_line(name: str, status: int, stderr: str) -> str:
    """The one line in which a command says why it ended by status 1."""
    assert status == 1, stderr
    assert "Traceback" not in stderr
    *before, line = stderr.splitlines()
    assert line.startswith(f"{name}: "), stderr
    assert not any(other.startswith(name) for other in before), stderr
    return line


def start(name: str, *arguments: object, before: str = "") -> "subprocess.Popen[str]":
    """Start a command in a process of its own, as the script that pip installs does; `before` is
    Python to run first."""
    script = f"import sys; sys.argv[0] = {name!r}\nfrom tsr.pipeline.entry import main; main()"
    code = f"{before}\n{script}"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def interrupt(name: str, *arguments: object, when: Callable[[str], bool], before: str = "") -> str:
    """Press Ctrl-C once `when` is true of a line of the progress; returns the last line."""
    process = start(name, *arguments, before=before)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if when(line):
            break
    os.kill(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=120)
    return checked_line(name, process.returncode, "".join(lines) + rest)


def names(folder: Path) -> list[str]:
    """Everything in a folder, hidden files too."""
    return sorted(file.name for file in folder.iterdir())


def arguments(command: str, clip: Path, tiny_onnx: Path, output: Path) -> list[object]:
    """A command's arguments to read `clip` and write `output`."""
    if command == "tsr-eval":
        return [clip, clip]
    if command == "tsr-run":
        return [tiny_onnx, clip, "-o", output]
    short = ["--steps", 2, "--channels", 2] if command == "tsr-train" else []
    return [clip, "-o", output, *short]
