"""Where every installed command begins: Ctrl-C ends it in silence until it is ready to say so.

Python turns Ctrl-C into an exception wherever it stands; in the second or so that the imports take
that is a traceback through other people's code. The system's own manner, which is to end, is better
as long as nothing is begun. `core.console.Command` puts Python's back once a command's work starts.
"""

import signal
import sys
from importlib import import_module
from pathlib import Path

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
    import_module(COMMANDS[name]).main(prog_name=name)
