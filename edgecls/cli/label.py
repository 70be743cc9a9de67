"""`edgecls label`: give labels to the pictures of a store, in the terminal."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgecls.cli.messages import data, say, table
from edgecls.errors import ConfigError, DataError
from edgecls.text.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edgecls.labelling import Group, Labelling

HELP = """  ENTER            the proposed label
  2                the label of this number
  open             this label; a new one is a new class
  open / 3 5       the same, but not pictures 3 and 5, which come again
  :x               they show nothing to learn from      (:x / 3 5 works too)
  :s  :u  :q       skip them, undo the last stroke, quit"""
EXCEPT = re.compile(r"\s*/\s*([\d\s,]+)$")


def label(
    store: Annotated[str, typer.Argument(metavar="STORE", help="The folder of the store.")],
    author: Annotated[str, typer.Option(metavar="NAME", help="Who gives the labels.", rich_help_panel="Label")] = "",
    most: Annotated[int, typer.Option(min=1, max=200, metavar="N", help="The most pictures of a group.", rich_help_panel="Label")] = 36,
    sheet: Annotated[str, typer.Option(metavar="FILE.png", help="Where the contact sheet of each group is written.  [default: sheet.png in the store]", rich_help_panel="Label")] = "",
    useful: Annotated[bool, typer.Option("--useful", help="Show the pictures whose labels would teach most, instead of similar ones.", rich_help_panel="Label")] = False,
    suspects: Annotated[int | None, typer.Option(min=1, metavar="N", help="List the N labels that are most probably wrong, and write their contact sheet.", rich_help_panel="Check")] = None,
    confirm: Annotated[str, typer.Option(metavar="N,N", help="Say that the labels of these pictures are right, so that they are not listed again. N is the number of a picture.", rich_help_panel="Check")] = "",
    import_from: Annotated[str, typer.Option("--import", metavar="DATA", help="Add labelled pictures: class folders, a CSV manifest, tasks of Label Studio, a folder of FiftyOne.", rich_help_panel="Exchange")] = "",
    export_to: Annotated[str, typer.Option("--export", metavar="FOLDER", help="Write the pictures to a new folder.", rich_help_panel="Exchange")] = "",
    export_as: Annotated[str, typer.Option("--as", metavar="FORMAT", help="The format of --export: folders, csv, label-studio or fiftyone.", rich_help_panel="Exchange")] = "folders",
) -> None:  # fmt: skip
    """Give labels to the pictures of a store: groups of similar pictures get one with a single line. Nothing acknowledged is lost."""
    place = Path(sheet or Path(store) / "sheet.png")
    if import_from or export_to:
        _exchange(store, import_from, export_to, export_as, author)
    elif confirm:
        _confirm(store, confirm, author)
    elif suspects is not None:
        _suspects(store, suspects, place)
    else:
        _label(store, author, most, place, useful=useful)


def _exchange(store: str, import_from: str, export_to: str, export_as: str, author: str) -> None:
    from edgecls.collect.exchange import export_pictures, import_pictures
    from edgecls.store import Store

    with Store(store, create=bool(import_from)) as opened:
        if import_from:
            done = import_pictures(opened, import_from, author=author)
            for line in done.left_out:
                say(f"left out: {line}")
            say(f"{store}: {counted(done.added, 'picture')} added, {done.labelled} that were there labelled")
        if export_to:
            count = export_pictures(opened, export_to, export_as, say=say)
            say(f"{export_to}: {counted(count, 'picture')} written as {export_as}")


def _suspects(store: str, count: int, place: Path) -> None:
    """List the labels that are most probably wrong."""
    from edgecls.labelling import suspects
    from edgecls.store import Store

    with Store(store, create=False) as opened:
        found = suspects(opened, say=say)[:count]
        rows = [
            (str(i), str(one.entry.id), one.entry.label, one.other, f"{one.suspicion:.2f}", one.why)
            for i, one in enumerate(found, 1)
        ]
        _write_sheet(place, [one.entry.path for one in found])
    data(table(("#", "picture", "label", "rather", "suspicion", "why"), rows))
    say(f"{place}: the pictures, numbered as in the table")


def _confirm(store: str, given: str, author: str) -> None:
    """Confirm the labels of pictures."""
    from edgecls.store import Store

    numbers = re.findall(r"\d+", given)
    if not numbers or not re.fullmatch(r"[\d\s,]+", given):
        raise typer.BadParameter(f"--confirm: expected the numbers of pictures, such as 12,31, not {given!r}")
    with Store(store, create=False) as opened:
        opened.confirm([int(number) for number in numbers], author=author)
    say(f"{store}: {counted(len(set(numbers)), 'label')} confirmed")


def _label(store: str, author: str, most: int, place: Path, *, useful: bool) -> None:
    """Show one group after the other until none is left or the user quits."""
    from edgecls.labelling import Labelling

    with Labelling(store, author=author, most=most, say=say) as labelling:
        say(HELP)
        while True:
            group = labelling.useful(most) if useful else labelling.next()
            if group is None:
                if labelling.labels:
                    say(f"{store}: nothing left to label; learn from it with: edgecls learn {store} --out model.onnx")
                else:
                    say(f"{store}: there are no pictures to label; a run, or edgecls collect --out {store}, collects some")
                return
            _write_sheet(place, [entry.path for entry in group.entries])
            say(f"\n{place}: {counted(len(group.entries), 'picture')} of {labelling.left} left; {group.why}")
            if not _ask(labelling, group):
                return


def _ask(labelling: Labelling, group: Group) -> bool:
    """Read lines until the group has a label or is skipped. Returns False to quit."""
    while True:
        labels = labelling.labels
        choices = "  ".join(f"{i} {name}" for i, name in enumerate(labels, 1))
        say(f"{choices}{'   ' if choices else ''}{f'ENTER: {group.proposal}' if group.proposal else ''}")
        line = sys.stdin.readline()
        if not line or line.strip() == ":q":
            return False
        try:
            if _answer(labelling, group, line.strip(), labels):
                return True
        except (ConfigError, DataError) as error:
            say(f"error: {error}")


def _answer(labelling: Labelling, group: Group, line: str, labels: Sequence[str]) -> bool:
    """Do what a line says. Returns whether the group is done. Raises ConfigError for a line that says nothing."""
    if line == ":u":
        say(f"{counted(labelling.undo(), 'picture')} taken back")
        return True
    if line == ":s":
        labelling.skip(group)
        return True
    excepted = EXCEPT.search(line)
    words = line[: excepted.start()].strip() if excepted else line
    positions = [int(number) for number in re.findall(r"\d+", excepted[1])] if excepted else []
    if wrong := [number for number in positions if not 1 <= number <= len(group.entries)]:
        raise ConfigError(f"there is no picture {wrong[0]} in this group; expected 1 to {len(group.entries)}")
    without = [group.entries[number - 1].id for number in positions]
    if words == ":x":
        labelling.reject(group, without=without)
        return True
    if words.startswith(":"):
        raise ConfigError(f"{words} is not known; expected a label, a number, :x, :s, :u or :q")
    chosen = words or group.proposal
    if words.isdecimal() and words not in labels:
        if not 1 <= int(words) <= len(labels):
            raise ConfigError(f"there is no label {words}; expected 1 to {len(labels)}, or the label itself")
        chosen = labels[int(words) - 1]
    if not chosen:
        raise ConfigError("nothing is proposed for these pictures; type their label")
    labelling.label(group, chosen, without=without)
    if chosen not in labels:
        say(f"{chosen}: a new class; :u takes it back")
    return True


def _write_sheet(place: Path, files: Sequence[Path]) -> None:
    """Write a contact sheet of some pictures."""
    from edgecls import image
    from edgecls.draw.sheet import contact_sheet
    from edgecls.files import private_mode, whole_file

    with whole_file(place, mode=private_mode()) as beside:
        beside.write_bytes(image.encode_png(contact_sheet([image.load(file) for file in files])))
