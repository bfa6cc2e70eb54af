"""Writes docs/cli.md, the reference of all commands, from the commands themselves.

make docs
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click

ROOT = Path(__file__).parent.parent
COMMON = {"--version", "--help"}
"""Options that all commands have."""

OUTPUT = ROOT / "docs" / "cli.md"

HEAD = """# Commands

Made by `make docs` from the commands' own help; do not edit. All end with status 0 (done), 1
(failed, one line says why and what to do) or 2 (wrong usage). Results go to files, progress to
standard error, `--json` to standard output. All have `--version` and `-h`, `--help`.
"""


def commands() -> dict[str, click.Command]:
    """Every command that the project installs, and the words of those that have some."""
    from tsr.pipeline.entry import COMMANDS

    found: dict[str, click.Command] = {}
    for name, module in COMMANDS.items():
        found[name] = import_module(module).main
        for word, other in getattr(found[name], "words", {}).items():
            found[f"{name} {word}"] = other
    return found


def reference() -> str:
    """The text of docs/cli.md."""
    parts = [HEAD, *("\n".join(_section(name, made)) for name, made in commands().items())]
    return "\n".join(parts)


def _section(name: str, made: click.Command) -> Iterator[str]:
    context = click.Context(made, info_name=name)
    yield f"## {name}\n"
    yield f"    {name} {' '.join(made.collect_usage_pieces(context))}\n"
    yield " ".join((made.help or "").split()) + "\n"
    yield "| option | meaning |"
    yield "| --- | --- |"
    for parameter in made.params:
        record = parameter.get_help_record(context)
        if record and isinstance(parameter, click.Option) and not COMMON & set(parameter.opts):
            words, meaning = (" ".join(text.split()).replace("|", r"\|") for text in record)
            yield f"| `{words}` | {meaning} |"
    yield ""


if __name__ == "__main__":
    OUTPUT.write_text(reference(), "utf-8")
