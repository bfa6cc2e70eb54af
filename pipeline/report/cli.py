"""tsr-report: what happened in a run, as one page."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tsr.core.console import InPath, command

if TYPE_CHECKING:
    from tsr.pipeline.record import RunRecord


@command()
@click.argument("record", type=InPath)
@click.option("-o", "--output", type=InPath, help="The page; RECORD's name with .html if left out.")
@click.option("--overwrite", is_flag=True, help="Replace a page that exists.")
def main(record: Path, output: Path | None, overwrite: bool) -> None:
    """Write an HTML page from RECORD, the JSON of a run, and the two videos that it names.

    The page needs no network and no other file: before and after, motion over time, the re-blur
    certificate, motion beyond the Nyquist limit, training, times, versions. `tsr` keeps a record of
    each run in its cache (`tsr cache` says where), under records/.
    """
    from tsr.core.console import Progress, duration
    from tsr.core.outputs import check_output, named
    from tsr.pipeline.report.story import write_report

    output = output or named(record).with_suffix(".html")
    found = read_record(record)
    check_output(output, inputs=(record, found.input, found.output), overwrite=overwrite)
    progress = Progress("report")
    write_report(found, output, progress=progress)
    progress.done(f"{output} in {duration(progress.seconds)}")


def read_record(path: Path) -> "RunRecord":
    """The record in a file.

    Raises:
        SettingsError: no such file, or no record in it.
    """
    from tsr.core.errors import SettingsError
    from tsr.pipeline.record import RunRecord

    try:
        record = RunRecord.from_json(path.read_text("utf-8"))
        _check_types(record)
        return record
    except OSError as error:
        raise SettingsError(f"cannot read {path} ({error.strerror or error})") from error
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise SettingsError(
            f"{path} is no record of a run ({error}); expected the JSON that `tsr` writes"
        ) from error


def _check_types(record: "RunRecord") -> None:
    """Raise `ValueError` for what JSON may hold and a record may not."""
    shots = record.shots
    whole = [record.factor, *(n for shot in shots for n in (shot.start, shot.stop))]
    tables = [record.settings, record.versions, record.seconds, *(shot.seconds for shot in shots)]
    if not all(type(number) is int for number in whole) or record.factor < 1:
        raise ValueError("its factor or its shots are not whole numbers")
    if not all(isinstance(table, dict) for table in tables):
        raise ValueError("its settings, versions or times are no tables")
    numbers = [record.exposure, *(value for table in tables[2:] for value in table.values())]
    scores = [score for shot in shots for score in (shot.psnr, shot.psnr_cubic)]
    if not all(isinstance(n, int | float) for n in (*numbers, *filter(None, scores))):
        raise ValueError("its times or scores are not numbers")
    if not 0 <= record.exposure <= 1:
        raise ValueError("its exposure is no fraction of the frame interval")


if __name__ == "__main__":
    main()
