"""`tsr doctor`: what this machine can use, and what to install for more."""

import json

import click

from tsr.core.console import command


@command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor_word(as_json: bool) -> None:
    """Say what this machine can use, and what to install for more."""
    from tsr.pipeline.doctor import examine, said

    found = examine()
    click.echo(json.dumps(found) if as_json else said(found))
