"""Labels given on the page: the stores that the run's collect sinks write, and no others.

All visitors share one `Labelling` of a store, so nobody is shown what another one has labelled or skipped. Labels, and what is
taken back, go straight to the store, which has them on the disk before it returns.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgecls import image
from edgecls.errors import DataError
from edgecls.input_spec import InputSpec
from edgecls.log import log_progress
from edgecls.sink.collect import CollectSettings
from edgecls.store import Store
from edgecls.store.schema import DATABASE, PICTURES
from edgecls.web.answers import NotPossibleError, NotThereError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from edgecls.labelling import Labelling
    from edgecls.sink.kinds import SinkSettings
    from edgecls.store import Entry

MOST_SHOWN = 36
THUMBNAIL_PX, LARGE_PX = 320, 1280
"""The longer side of a picture on the page; it is never enlarged."""
QUALITY = 85
UNKNOWN_STORE = "there is no such store; the configuration of the run may have changed"
GONE = "these pictures are no longer in the store"


class _Opened(NamedTuple):
    """A store that is being labelled, which file it is, and what was said when its pictures were looked at."""

    labelling: Labelling
    file: tuple[int, int]
    notes: list[str]


class Teaching:
    """The stores of a run on the page. Apart from `thumbnail`, one thread at a time may use it."""

    def __init__(self, outs: Callable[[], Sequence[SinkSettings]]) -> None:
        """Label what these sinks collect."""
        self._outs = outs
        self._opened: dict[str, _Opened] = {}

    def stores(self) -> list[dict[str, Any]]:
        """Return the stores of the run: for each its id, its name, its counts, and why it cannot be used, "" if it can."""
        found = []
        for key, path in store_paths(self._outs).items():
            about = {"store": key, "name": path.name, "why": "", "classes": {}, "left": 0}
            try:
                with _opened(path) as store:
                    about |= _counts(store)
            except DataError as error:
                about["why"] = str(error)
            found.append(about)
        return found

    def group(self, key: str, *, useful: bool = False) -> dict[str, Any]:
        """Return the next group of pictures, which is empty if all have a label. Skipped ones come again after all others.

        Args:
            key: The id of the store.
            useful: The pictures whose labels would teach most, instead of similar ones.

        Raises:
            NotThereError: There is no such store.
            DataError: It cannot be used.
        """
        path = self._path(key)
        with _without_folder(path):
            labelling, notes = self._labelling(key, path)
            group = labelling.useful(MOST_SHOWN) if useful else labelling.next()
            if group is None:
                labelling.bring_back()
                group = labelling.useful(MOST_SHOWN) if useful else labelling.next()
            shown = [] if group is None else [_record(entry) for entry in group.entries]
            proposal, why = ("", "") if group is None else (group.proposal, group.why)
            return {"pictures": shown, "proposal": proposal, "why": why, "notes": notes, **_counts(labelling.store)}

    def suspects(self, key: str) -> dict[str, Any]:
        """Return the labels that are probably wrong, the most suspect first, with the label that is more probable and why."""
        from edgecls.labelling import suspects

        notes: list[str] = []
        with _opened(self._path(key)) as store:
            counts = _counts(store)
            if len(counts["classes"]) < 2:
                raise NotPossibleError("Errors are found once pictures of two classes have labels.")
            found = [one for one in suspects(store, say=_noting(notes)) if one.suspicion > 0][:MOST_SHOWN]
            shown = [
                {**_record(one.entry), "rather": one.other, "suspicion": round(one.suspicion, 3), "why": one.why}
                for one in found
            ]
            return {"pictures": shown, "proposal": "", "why": "", "notes": notes, **counts}

    def label(self, key: str, numbers: Sequence[int], label: str, *, author: str) -> dict[str, Any]:
        """Give pictures a label with one stroke, which is on the disk afterwards. Those that a run has removed are left out.

        Returns:
            The number of the stroke, how many pictures have the label, and the new counts.

        Raises:
            NotThereError: There is no such store, or none of the pictures is in it.
            DataError: The disk fails. Then no picture has got the label.
        """
        with _opened(self._path(key)) as store:
            here = _here(store, numbers)
            return {"stroke": store.label(here, label, author=author), "pictures": len(here), **_counts(store)}

    def confirm(self, key: str, numbers: Sequence[int], *, author: str) -> dict[str, Any]:
        """Say that the labels of pictures are right, so that they are suspected no more. Returns what `label` does."""
        with _opened(self._path(key)) as store:
            here = _here(store, numbers)
            return {"stroke": store.confirm(here, author=author), "pictures": len(here), **_counts(store)}

    def reject(self, key: str, numbers: Sequence[int], *, author: str) -> dict[str, Any]:
        """Say that pictures show nothing to learn from. Returns what `label` does."""
        with _opened(self._path(key)) as store:
            here = _here(store, numbers)
            return {"stroke": store.reject(here, author=author), "pictures": len(here), **_counts(store)}

    def skip(self, key: str, numbers: Sequence[int]) -> dict[str, Any]:
        """Leave pictures for later."""
        from edgecls.labelling import Group

        path = self._path(key)
        with _without_folder(path):
            labelling, _ = self._labelling(key, path)
            entries = labelling.store.present(numbers)
            labelling.skip(Group(tuple(entries), "", ""))
            return {"pictures": len(entries), **_counts(labelling.store)}

    def undo(self, key: str, *, author: str) -> dict[str, Any]:
        """Take back the last stroke of this person. Returns how many pictures have their former label again, and the counts."""
        with _opened(self._path(key)) as store:
            return {"pictures": store.undo(author=author), **_counts(store)}

    def thumbnail(self, key: str, number: int, *, large: bool = False) -> bytes:
        """Return a picture as JPEG, small enough for the page. Raises NotThereError if there is none of this number."""
        path = self._path(key)
        with _opened(path) as store:
            entries = store.present([number])
            file = entries[0].path if entries else None
            if file is None or not file.resolve().is_relative_to((path / PICTURES).resolve()) or not file.is_file():
                raise NotThereError("there is no such picture; it may have been removed")
            picture = image.load(file)
        height, width = picture.shape[:2]
        scale = min(1.0, (LARGE_PX if large else THUMBNAIL_PX) / max(height, width))
        spec = InputSpec(max(1, round(height * scale)), max(1, round(width * scale)), "rgb")
        return image.encode_jpeg(image.from_rgb(image.fit(picture, spec)), QUALITY)

    def close(self) -> None:
        """Close all stores."""
        for opened in self._opened.values():
            opened.labelling.close()
        self._opened.clear()

    def _path(self, key: str) -> Path:
        path = store_paths(self._outs).get(key)
        if path is None:
            raise NotThereError(UNKNOWN_STORE)
        return path

    def _labelling(self, key: str, path: Path) -> tuple[Labelling, list[str]]:
        """Return the labelling of a store with what others have done to it since, opened anew if it is another file now."""
        from edgecls.labelling import Labelling

        for other in self._opened.keys() - store_paths(self._outs).keys():
            self._opened.pop(other).labelling.close()
        known = self._opened.get(key)
        if known is not None:
            if known.file == _file(path):
                known.labelling.renew()
                return known.labelling, known.notes
            self._opened.pop(key).labelling.close()
        notes: list[str] = []
        labelling = Labelling(path, most=MOST_SHOWN, say=_noting(notes))
        self._opened[key] = _Opened(labelling, _file(path), notes)
        return labelling, notes


def store_paths(outs: Callable[[], Sequence[SinkSettings]]) -> dict[str, Path]:
    """Return the folders of the stores of a run by id. An id says nothing of the folder, and is that of no other one."""
    folders = [Path(out.path) for out in outs() if isinstance(out, CollectSettings)]
    return {hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]: folder for folder in folders}


@contextmanager
def _opened(path: Path) -> Iterator[Store]:
    """Open a store for one request. Errors name the store, but not where it is."""
    with _without_folder(path), Store(path, create=False) as store:
        yield store


@contextmanager
def _without_folder(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError as error:
        text = str(error)
        for folder in (path.absolute(), path):
            text = text.replace(str(folder), path.name)
        raise DataError(text) from error


def _file(path: Path) -> tuple[int, int]:
    """Return what tells the database of a store from one that takes its place."""
    try:
        found = (path / DATABASE).stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _here(store: Store, numbers: Sequence[int]) -> list[int]:
    here = [entry.id for entry in store.present(list(dict.fromkeys(numbers)))]
    if not here:
        raise NotThereError(GONE)
    return here


def _counts(store: Store) -> dict[str, Any]:
    counts = store.counts()
    left = counts.pop("", 0)
    return {"classes": counts, "left": left}


def _record(entry: Entry) -> dict[str, Any]:
    origin = entry.origin
    return {
        "picture": entry.id, "camera": origin.camera, "region": origin.region, "at_s": origin.at_s, "reason": origin.reason,
        "prediction": origin.prediction, "score": origin.score, "label": entry.label,
    }  # fmt: skip


def _noting(notes: list[str]) -> Callable[[str], None]:
    """Return what keeps lines that begin with "note:" for the page, each once, and logs all of them."""

    def say(line: str) -> None:
        log_progress(line)
        kind, _, text = line.partition(": ")
        if kind == "note" and text not in notes:
            notes.append(text)

    return say
