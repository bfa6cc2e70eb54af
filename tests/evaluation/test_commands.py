"""What the evaluation commands load before they know what to do."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["degrade_cli", "eval_cli"])
def test_help_loads_nothing_heavy(module: str):
    """`--help` works without NumPy, PyAV, torch or Pillow, and so at once on any machine."""
    code = (
        f"import sys; from tsr.evaluation.{module} import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'numpy', 'av', 'torch', 'PIL'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "TRUTH" in done.stdout
