"""The options of a command: in its help, in groups under headings, and in the messages of the library."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

from edgecls.cli.messages import use_options

OTHERS = "Options"
MEANT = (
    (r"\.toml$", ("--config",)),
    (r"\.onnx$", ("--model", "--out")),
    (r"^\d{1,3}$", ("--camera",)),
    (r"^\w+:.+|\.(mp4|mkv|avi|mov|ts|webm|jpe?g|png)$", ("--source",)),
    (r"", ("--out", "--source")),
)
"""What an argument without an option may be: a pattern, and the options for it, of which a command's first one is meant."""


class GroupedCommand(TyperCommand):
    """A command that lists its options by their `rich_help_panel`, in the order of the first option of each group. Options
    without one, such as --help, come last. While it runs, messages name settings by its options.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments. An unexpected one is reported with the option that it may be meant for."""
        ctx.allow_extra_args = True
        rest = super().parse_args(ctx, args)
        ctx.allow_extra_args = False
        if ctx.args and not ctx.resilient_parsing:
            plural = "s" if len(ctx.args) > 1 else ""
            names = " ".join(map(str, ctx.args))
            ctx.fail(f"Got unexpected extra argument{plural} ({names}){self._meant(ctx, ctx.args[0])}")
        return rest

    def _meant(self, ctx: Any, argument: str) -> str:
        """Return the option that an argument may be meant for, as "; did you mean --config cameras.toml?", or ""."""
        known = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        for pattern, options in MEANT:
            option = next((option for option in options if option in known), "")
            if option and re.search(pattern, argument, re.IGNORECASE):
                return f"; did you mean {option} {argument}?"
        return ""

    def invoke(self, ctx: Any) -> Any:  # Click's own, which some versions of Typer bring along
        """Run the command."""
        options = [parameter for parameter in self.get_params(ctx) if parameter.param_type_name == "option"]
        use_options({str(option.name): max(option.opts, key=len) for option in options})
        return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments, then a section for each group."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                is_argument = parameter.param_type_name == "argument"
                title = "Arguments" if is_argument else getattr(parameter, "rich_help_panel", None) or OTHERS
                sections.setdefault(title, []).append(record)
        others = sections.pop(OTHERS, [])
        for title, records in [*sections.items(), (OTHERS, others)]:
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
