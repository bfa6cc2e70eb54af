"""A command whose first argument may be one of a few words, each a command of its own.

tsr clip.mp4        the command
tsr doctor          a word
tsr ./doctor        the command, on a file of that name
"""

from typing import Any

import click
from click.shell_completion import CompletionItem

from tsr.core.console import Command


class CommandWithWords(Command):
    """See the module. The words are shown by `--help`; `complete` is for its argument."""

    def __init__(self, *args: Any, words: dict[str, click.Command], **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.words = words

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """The context of the word, if there is one."""
        if args and args[0] in self.words:
            return self.words[args[0]].make_context(f"{info_name} {args[0]}", args[1:], **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run what the context is of."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The words, and what each does."""
        with formatter.section("Also"):
            formatter.write_dl(
                [(f"tsr {name}", word.get_short_help_str(70)) for name, word in self.words.items()]
            )
        super().format_epilog(ctx, formatter)


def complete(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """What the shell offers for a file: files, and words where one may stand."""
    words = getattr(ctx.command, "words", {}) if not ctx.params.get(parameter.name or "") else {}
    fitting = [CompletionItem(name) for name in words if name.startswith(begun)]
    return [*fitting, CompletionItem(begun, type="file")]
