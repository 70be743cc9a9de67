"""The options of a command: in its help, in groups under headings, and in the messages of the library."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from edgecls.cli.messages import use_options

OTHERS = "Options"


class GroupedCommand(TyperCommand):
    """A command that lists its options by their `rich_help_panel`, in the order of the first option of each group. Options
    without one, such as --help, come last. While it runs, messages name settings by its options.
    """

    def invoke(self, ctx: Any) -> Any:  # Click's own, which some versions of Typer bring along
        """Run the command."""
        options = [parameter for parameter in self.get_params(ctx) if parameter.param_type_name == "option"]
        use_options({option.name: max(option.opts, key=len) for option in options})
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
