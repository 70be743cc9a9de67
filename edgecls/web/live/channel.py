"""The live picture of one camera, made once for all who look at it.

While somebody looks, a task fetches the new packets and results of the camera from what the run keeps, a dozen times a second,
and packs them. Viewers take them from here. A codec that browsers cannot play, or a camera without packets, is shown as
single pictures instead, with the reason.

A browser decodes everything since the last key frame before it shows the first picture of a video, which takes up to a second.
Whoever begins to look therefore gets the newest frame as a picture too, the poster, and sees it meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from edgecls.text.strict_json import dumps
from edgecls.video import ffmpeg
from edgecls.video.fragments import Fragments
from edgecls.web.jpeg import PRIVATE, frame_jpeg
from edgecls.web.live.records import overlay_record, scene_record

if TYPE_CHECKING:
    from edgecls.video.packets import Packet, Packets
    from edgecls.web.live.view_sink import CameraView

POLL_S, SOON_S = 0.1, 0.02
"""How often a camera is looked at, and while somebody waits for the first picture. What is new at once costs one message, and
most of the cost of a viewer are wake-ups and system calls."""
PICTURE_EVERY_S = 0.2
PICTURE_WIDTH = 640
PICTURE_QUALITY = 75
KEPT = 128
"""How many messages a viewer may be behind before it begins again at the last key frame."""
INIT, FRAGMENT, PICTURE, POSTER = 0, 1, 2, 4
"""The first byte of a binary message. Then come the number of the channel (2 bytes) and the data; those of a picture or poster
begin with its media time in seconds (8 bytes, a float)."""
NO_PACKETS = "this camera delivers single pictures only"
WAITING = "waiting for the first picture"


class Message(NamedTuple):
    """A message for viewers, text or binary, and its place in the order of the channel's messages."""

    number: int
    content: str | bytes


class Channel:
    """The messages of one camera. All methods run in the thread of the page."""

    def __init__(self, view: CameraView, number: int) -> None:
        """Begin without a stream. `number` tells its binary messages from those of other cameras."""
        self.view = view
        self.number = number
        self.reason = WAITING
        self._viewers: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._messages: deque[Message] = deque(maxlen=KEPT)
        self._count = 0
        self._packets: Packets | None = None
        self._fragments: Fragments | None = None
        self._last_packet = -1
        self._last_result = 0
        self._last_scene = ""
        self._scene: dict[str, Any] = {}
        self._pictured_s = 0.0

    def join(self, viewer: asyncio.Event) -> None:
        """Keep messages coming for a viewer, whose event is set when there are new ones."""
        self._viewers.add(viewer)
        self.view.wants_poster = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._serve())

    def leave(self, viewer: asyncio.Event) -> None:
        """Remove a viewer. Without viewers nothing is packed."""
        self._viewers.discard(viewer)

    def beginning(self) -> list[Message]:
        """Return what a new viewer needs first: the scene, and the stream from its last key frame on."""
        scene = [self._last_scene] if self._last_scene else []
        return [Message(self._count, content) for content in (*scene, *self._stream_messages())]

    def after(self, number: int) -> list[Message]:
        """Return the messages after this one; the beginning if they are no longer kept."""
        if self._messages and number + 1 < self._messages[0].number:
            return self.beginning()
        return [message for message in self._messages if message.number > number]

    async def _serve(self) -> None:
        while self._viewers:
            self._fetch()
            if self._fragments is None:
                await self._take_picture(PICTURE)
            elif self.view.wants_poster:
                await self._take_picture(POSTER)
            await asyncio.sleep(SOON_S if self.view.wants_poster else POLL_S)
        self.view.wants_frames = self.view.wants_poster = False
        self._packets = self._fragments = None
        self._messages.clear()

    def _fetch(self) -> None:
        before = self._count
        packets = self.view.packets
        if packets is None:
            self._packets = self._fragments = None
            self._show_pictures(self._why_pictures())
        elif packets is not self._packets:
            self._open(packets)
        if self._fragments is not None and packets is not None:
            new = packets.after(self._last_packet)
            if new:
                self._last_packet = new[-1].number
                self._say(self._fragment(new))
        for number, result in self.view.after(self._last_result):
            self._last_result = number
            scene = scene_record(result)
            if scene != self._scene:
                self._scene, self._last_scene = scene, dumps(scene)
                self._say(self._last_scene)
            self._say(dumps(overlay_record(result)))
        if self._count > before:
            self._wake()

    def _open(self, packets: Packets) -> None:
        """Begin a new stream: its times and its codec have nothing to do with those of the one before."""
        self._packets, self._fragments, self._last_packet = packets, None, -1
        try:
            self._fragments = Fragments(ffmpeg.load("A live picture"), packets)
        except ValueError as error:
            self._show_pictures(f"shown as single pictures: {error}")
            return
        self.reason, self.view.wants_frames = "", False
        kept = packets.since(float("inf"))
        self._last_packet = kept[-1].number if kept else -1
        for content in self._stream_messages():
            self._say(content)

    def _show_pictures(self, reason: str) -> None:
        if not self.view.wants_frames:
            self.view.wants_frames = True
            self._say(self._about_pictures())
        self.reason = reason

    def _why_pictures(self) -> str:
        results = self.view.results
        if not results:
            return WAITING
        return NO_PACKETS if results[-1][1].frame.paint is None else PRIVATE

    def _about_pictures(self) -> str:
        return dumps({"kind": "pictures", "camera": self.view.name, "channel": self.number})

    def _stream_messages(self) -> list[str | bytes]:
        fragments, packets = self._fragments, self._packets
        if fragments is None or packets is None:
            return [self._about_pictures()] if self.view.wants_frames else []
        about = {"kind": "stream", "camera": self.view.name, "channel": self.number, "mime": fragments.mime}
        kept = [packet for packet in packets.since(float("inf")) if packet.number <= self._last_packet]
        return [dumps(about), self._binary(INIT, fragments.init), *([self._fragment(kept)] if kept else [])]

    def _fragment(self, packets: list[Packet]) -> bytes:
        return self._binary(FRAGMENT, cast("Fragments", self._fragments).fragment(packets))

    async def _take_picture(self, kind: int) -> None:
        """Send the newest frame as a picture, a few times a second, or once as a poster, encoded in another thread."""
        frame = self.view.frame
        if frame is None or (kind == PICTURE and time.monotonic() - self._pictured_s < PICTURE_EVERY_S):
            return
        self._pictured_s, self.view.frame, self.view.wants_poster = time.monotonic(), None, False
        with contextlib.suppress(Exception):
            data = await asyncio.to_thread(frame_jpeg, frame, width=PICTURE_WIDTH, quality=PICTURE_QUALITY)
            self._say(self._binary(kind, struct.pack(">d", frame.time_s) + data))
            self._wake()

    def _binary(self, kind: int, data: bytes) -> bytes:
        return struct.pack(">BH", kind, self.number) + data

    def _wake(self) -> None:
        for viewer in self._viewers:
            viewer.set()

    def _say(self, content: str | bytes) -> None:
        self._count += 1
        self._messages.append(Message(self._count, content))
