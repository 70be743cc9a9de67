"""Somebody says that the label of an event is wrong: its picture goes to the store of pictures to be labelled."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from edgecls import image
from edgecls.errors import DataError
from edgecls.frame import Box
from edgecls.regions.regions import grown
from edgecls.sink.collect import CollectSettings
from edgecls.sink.recordings.quota import GB
from edgecls.store import Origin, Store

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edgecls.event import Event
    from edgecls.sink.kinds import SinkSettings
    from edgecls.web.events.recordings import Recordings

REASON = "wrong"
NO_STORE = 'There is no store of pictures to label. Add a sink for one to cameras.toml, such as sinks = ["collect:pictures"].'
NO_PICTURE = "There is no picture of this event."
NO_SNAPSHOTS = f'{NO_PICTURE} Add a sink for snapshots to cameras.toml, such as sinks = ["snapshot:snapshots"].'
DRAWN_ON = "Its only picture has boxes drawn on it; add frame or crop to shows of the snapshots."


class Sent(NamedTuple):
    """A picture in the store: its number, and whether it was there before."""

    number: int
    was_there: bool


def why_not(recordings: Recordings, outs: Iterable[SinkSettings], *, has_snapshots: bool) -> str:
    """Return why the picture of an event cannot be labelled, and what to configure; "" if it can."""
    if store_of(outs) is None:
        return NO_STORE
    if recordings.pictures.keys() & {"frame", "crop"}:
        return ""
    return DRAWN_ON if recordings.pictures else NO_PICTURE if has_snapshots else NO_SNAPSHOTS


def store_of(outs: Iterable[SinkSettings]) -> CollectSettings | None:
    """Return the settings of the store of a run, or None if it has none."""
    return next((out for out in outs if isinstance(out, CollectSettings)), None)


def send(
    event: Event, event_id: str, recordings: Recordings, settings: CollectSettings, *, label: str, author: str
) -> Sent:  # fmt: skip
    """Put the picture of an event into the store, with what the model said. One that is there already only gets the label.

    Args:
        event: The event.
        event_id: Its id.
        recordings: Its snapshots, with a frame or a crop.
        settings: The store.
        label: The right label; "" leaves it to whoever labels the store.
        author: Who says so.

    Raises:
        DataError: The store or the picture cannot be used, or the label is not a text on one line.
    """
    with Store(settings.path) as store:
        known = [entry.id for entry in store.of_event(event_id)]
        number = known[0] if known else _add(store, event, event_id, recordings, settings)
        if label:
            store.label([number], label, author=author)
    return Sent(number, bool(known))


def _add(store: Store, event: Event, event_id: str, recordings: Recordings, settings: CollectSettings) -> int:
    pictures = recordings.pictures
    path = pictures["frame"] if "frame" in pictures else pictures["crop"]
    picture = image.decode(image.read_file(path), str(path))
    seen = None
    height, width = picture.shape[:2]
    box = recordings.box if "frame" in pictures else None
    if box is not None and 0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height:
        crop = grown(Box(*box), settings.margin, (height, width))
        picture = image.crop(picture, crop)
        seen = (box[0] - crop.left, box[1] - crop.top, box[2] - crop.left, box[3] - crop.top)
    quota = settings.quota
    if quota is not None and quota.most_gb is not None and store.make_room(picture.nbytes // 4, round(quota.most_gb * GB)):
        raise DataError(f"{settings.path}: the quota is reached, and no picture without a label is left to remove")
    origin = Origin(
        camera=event.camera, region=event.region, at_s=event.start.at_s, time_s=event.start.time_s, file=event.start.file,
        event=event_id, track=event.track_id, reason=REASON, model=event.model, prediction=event.label, score=event.score,
        box=seen,
    )  # fmt: skip
    return store.add(picture, origin)
