"""Where every installed command begins: Ctrl-C ends it in silence until it is ready to say so.

Python turns Ctrl-C into an exception wherever it stands; in the second or so that the imports take
that is a traceback through other people's code. The system's own manner, which is to end, is better
as long as nothing is begun. `core.console.Command` puts Python's back once a command's work starts.
And when such a command has said that it was interrupted, nothing more is waited for.
"""

import contextlib
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import NoReturn

COMMANDS = {
    "tsr": "tsr.pipeline.cli",
    "tsr-train": "tsr.trainer.cli",
    "tsr-export": "tsr.export.cli",
    "tsr-check": "tsr.export.check_cli",
    "tsr-run": "tsr.runtime.cli",
    "tsr-degrade": "tsr.evaluation.degrade_cli",
    "tsr-eval": "tsr.evaluation.eval_cli",
    "tsr-report": "tsr.pipeline.report.cli",
}
"""Module of each command by the name it is installed under."""


def main() -> None:
    """Run the command that this process was started as."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    name = Path(sys.argv[0]).stem
    try:
        import_module(COMMANDS[name]).main(prog_name=name)
    except SystemExit as end:
        from tsr.core.console import Interrupts

        if Interrupts.pressed:
            _end_at_once(end.code)
        raise


def _end_at_once(status: object) -> NoReturn:
    """End without Python's last rites: a thread of a library's that the interruption left waiting
    would be waited for in vain. What a command had open it has closed by now."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status if isinstance(status, int) else 1)
