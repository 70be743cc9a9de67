"""Tasks of Label Studio, as JSON.

The labelling interface of the project is expected to be

    <View>
      <Image name="image" value="$image"/>
      <Choices name="label" toName="image"> <Choice value="..."/> </Choices>
    </View>

A task carries the number of its picture in the store (`data.edgecls`), so that labels made there come back to the same picture,
and for a picture with a margin around what a model sees, that box (`data.seen_box`).
"""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from edgecls.collect.exchange.plain import file_name
from edgecls.errors import DataError
from edgecls.files import read_small, whole_file
from edgecls.text import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from edgecls.store import Entry

TASKS = "tasks.json"
FOLDER = "pictures"
LARGEST_BYTES = 500_000_000
NUMBER, BOX = "edgecls", "seen_box"
CHOICE = {"from_name": "label", "to_name": "image", "type": "choices"}


class Task(NamedTuple):
    """A task: the picture's number if it came from a store, its file, its label ("" for none), who gave it, and its box."""

    number: int | None
    file: Path
    label: str
    author: str
    box: Any


def write(entries: Sequence[Entry], out: Path) -> None:
    """Copy pictures to OUT/pictures/, and write OUT/tasks.json, with labels as annotations. Raises OSError."""
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    tasks = []
    for entry in entries:
        name = f"{FOLDER}/{file_name(entry)}"
        shutil.copyfile(entry.path, out / name)
        tasks.append(_task(entry, name))
    with whole_file(out / TASKS) as beside:
        beside.write_text(strict_json.dumps(tasks, indent=1), encoding="utf-8")


def read(path: Path) -> Iterator[Task]:
    """Yield the tasks of a file that `write` or Label Studio (JSON or JSON-MIN) wrote. Raises DataError."""
    try:
        tasks = strict_json.loads(read_small(path, LARGEST_BYTES).decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: expected tasks of Label Studio as JSON ({error})") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise DataError(f"{path}: expected a list of tasks of Label Studio, found a {type(tasks).__name__}")
    for i, task in enumerate(tasks):
        data = task.get("data", task)  # JSON-MIN has the data in the task itself
        image = data.get("image") if isinstance(data, dict) else None
        if not isinstance(image, str):
            raise DataError(f"{path}: task {i} has no picture; expected data.image")
        number = data.get(NUMBER)
        label, author = _label(task)
        yield Task(number if isinstance(number, int) else None, _file(path.parent, image), label, author, data.get(BOX))


def _task(entry: Entry, name: str) -> dict[str, Any]:
    origin = entry.origin
    task: dict[str, Any] = {"data": {"image": name, NUMBER: entry.id, "camera": origin.camera, "region": origin.region}}
    if origin.box is not None:
        task["data"][BOX] = origin.box
    if entry.label:
        task["annotations"] = [{"result": [{**CHOICE, "value": {"choices": [entry.label]}}]}]
    if origin.prediction:
        value = {"choices": [origin.prediction]}
        task["predictions"] = [{"model_version": origin.model, "score": origin.score, "result": [{**CHOICE, "value": value}]}]
    return task


def _label(task: dict[str, Any]) -> tuple[str, str]:
    """Return the label of a task and who gave it: the last annotation that was not cancelled, or the choice of JSON-MIN."""
    for annotation in reversed(task.get("annotations") or []):
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        for result in annotation.get("result") or []:
            choices = (result.get("value") or {}).get("choices") if isinstance(result, dict) else None
            if choices:
                return str(choices[0]), _author(annotation.get("completed_by"))
    for name in ("label", "choice"):
        if isinstance(task.get(name), str):
            return task[name], _author(task.get("annotator"))
    return "", ""


def _author(value: Any) -> str:
    return str(value.get("email") or value.get("id") or "") if isinstance(value, dict) else "" if value is None else str(value)


def _file(root: Path, image: str) -> Path:
    """Return the file of a picture: a path beside the tasks, or that of local storage (/data/local-files/?d=...)."""
    parts = urlsplit(image)
    place = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    relative = PurePosixPath(place.lstrip("/"))
    near = [root / FOLDER / relative.name, root / relative.name]
    if ".." not in relative.parts:
        near.insert(0, root / relative)
    return next((file for file in near if file.is_file()), near[0])
