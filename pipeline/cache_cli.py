"""`tsr cache`: what is kept between runs, and how to be rid of it."""

import json
from pathlib import Path

import click

from tsr.core.console import InPath, command


@command()
@click.option("--cache", type=InPath, help="The folder. [default: the user's cache]")
@click.option("--clear", is_flag=True, help="Remove all of it but what a running tsr works on.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def cache_word(cache: Path | None, clear: bool, as_json: bool) -> None:
    """Show what is kept of each video, or clear it."""
    from tsr.pipeline.cache import NAME, Cache, num_bytes

    kept = Cache(cache)
    if clear:
        freed = kept.clear()
        click.echo(f"{kept.root}: {freed / 1e6:.1f} MB removed", err=True)
    rows = [
        {
            "video": (folder / NAME).read_text("utf-8").strip(),
            "bytes": num_bytes(folder),
            "folder": str(folder),
        }
        for folder in kept.videos()
    ]
    if as_json:
        click.echo(json.dumps({"cache": str(kept.root), "videos": rows}))
        return
    for row in rows:
        click.echo(f"{int(str(row['bytes'])) / 1e6:10.1f} MB  {row['video']}  {row['folder']}")
    total = sum(int(str(row["bytes"])) for row in rows)
    click.echo(f"{total / 1e6:10.1f} MB  in {len(rows)} videos under {kept.root}")
