"""`tsr` in this process, and what it told."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from tsr.pipeline.cli import main
from tsr.pipeline.record import RunRecord

NUM_FRAMES, HEIGHT, WIDTH = 20, 64, 96


def tsr(cache: Path, *arguments: object) -> Result:
    given = [*map(str, arguments), "--cache", str(cache)]
    return CliRunner().invoke(main, given, prog_name="tsr")


def events(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def record_of(result: Result) -> RunRecord:
    (done,) = (event for event in events(result) if event["event"] == "done")
    return RunRecord.from_json(json.dumps(done["record"]))
