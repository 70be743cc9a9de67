"""The WebSocket of a viewer: all cameras that the page shows, over one connection.

The page says what it looks at, which tiles are on the screen, and again whenever that changes:

    {"watch": ["gate", "yard"]}

It gets texts of JSON and binary data:

    {"kind": "cameras", ...}   once a second: the state of every camera, the number of events, the version of the page
    {"kind": "stream", "camera": "gate", "channel": 1, "mime": ...}   a stream begins; its binary data follow (`web.channel`)
    {"kind": "pictures", "camera": "gate", "channel": 1}   single pictures follow instead
    {"kind": "scene", "camera": "gate", "areas": [...], "lines": [...]}   when it changes
    {"kind": "overlay", "camera": "gate", "time": 12.48, "boxes": [...]}   for each classified frame

What is new at once comes in one message, a bundle: for a system call takes longer than all the rest. Its first byte is BUNDLE;
then come the parts, each with 1 for a text or 0 for binary data (1 byte), its length (4 bytes, the largest first) and itself.

A viewer who reads slowly misses pictures: it goes on at the last key frame. The run never waits for a viewer.
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from edgecls.text.strict_json import dumps, loads
from edgecls.web.fair_share import TRY_AGAIN_LATER
from edgecls.web.live.channel import Channel
from edgecls.web.live.status import now_record
from edgecls.web.login.guard import ASK_AGAIN, POLICY_VIOLATION

if TYPE_CHECKING:
    from edgecls.web.live.view_sink import ViewSink

STATUS_EVERY_S = 1.0
MOST_VIEWERS = 64
UNSUPPORTED = 1003
BUNDLE = b"\3"
"""The first byte of a message that holds several; those of the others are in `edgecls.web.live.channel`."""


class Viewers:
    """Everybody who looks at the page, and one channel for each camera that somebody looks at."""

    def __init__(self, view: ViewSink, page: str = "") -> None:
        """Begin without viewers. `page` tells this version of the page's files from others."""
        self._view = view
        self._page = page
        self._channels: dict[str, Channel] = {}
        self._count = 0

    def reasons(self) -> dict[str, str]:
        """Return why cameras are not shown as video, by name."""
        return {name: channel.reason for name, channel in self._channels.items() if channel.reason}

    async def serve(self, socket: WebSocket) -> None:
        """Serve one viewer until the connection ends."""
        await socket.accept()
        if self._count >= MOST_VIEWERS:
            await socket.close(TRY_AGAIN_LATER, f"there are {MOST_VIEWERS} viewers already")
            return
        self._count += 1
        viewer = _Viewer(self, socket)
        try:
            tasks = [asyncio.create_task(part()) for part in (viewer.listen, viewer.send, viewer.report)]
            _, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in others:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._count -= 1
            viewer.watch([])
            with contextlib.suppress(Exception):
                await socket.close()

    def channel(self, camera: str) -> Channel | None:
        """Return the channel of a camera, or None if there is no such camera."""
        view = self._view.cameras.get(camera)
        if view is None:
            return None
        channel = self._channels.get(camera)
        if channel is None or channel.view is not view:
            channel = self._channels[camera] = Channel(view, len(self._channels))
        return channel

    def status(self) -> dict[str, Any]:
        """Return the states of all cameras."""
        return {**now_record(self._view, self.reasons()), "page": self._page}


def bundle(parts: list[str | bytes]) -> bytes:
    """Return several messages as one."""
    packed = [BUNDLE]
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        packed += [struct.pack(">BI", isinstance(part, str), len(data)), data]
    return b"".join(packed)


class _Viewer:
    """One connection."""

    def __init__(self, viewers: Viewers, socket: WebSocket) -> None:
        self._viewers = viewers
        self._socket = socket
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()  # two tasks send
        self._watched: dict[str, Channel] = {}
        self._sent: dict[str, int] = {}  # the number of the last message of each channel; none before the beginning

    def watch(self, cameras: list[str]) -> None:
        """Look at these cameras, and at no others."""
        for name in [name for name in self._watched if name not in cameras]:
            self._watched.pop(name).leave(self._wake)
            self._sent.pop(name, None)
        for name in cameras:
            channel = self._viewers.channel(name)
            if channel is not None and self._watched.get(name) is not channel:
                self._watched[name] = channel
                self._sent.pop(name, None)
                channel.join(self._wake)
        self._wake.set()

    async def listen(self) -> None:
        """Read what the page looks at, until it goes away."""
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                try:
                    wanted = loads(await self._socket.receive_text())["watch"]
                    names = [str(name) for name in wanted][: len(self._viewers._view.cameras) + 1]
                except (ValueError, KeyError, TypeError):
                    await self._socket.close(UNSUPPORTED, 'expected {"watch": [CAMERA, ...]}')
                    return
                self.watch(names)

    async def send(self) -> None:
        """Send what is new, until the connection ends."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._wake.wait()
                self._wake.clear()
                new: list[str | bytes] = []
                for name, channel in self._watched.items():
                    sent = self._sent.get(name)
                    for message in channel.beginning() if sent is None else channel.after(sent):
                        self._sent[name] = message.number
                        new.append(message.content)
                if new:
                    await self._give(new[0] if len(new) == 1 else bundle(new))

    async def report(self) -> None:
        """Send the states of the cameras once a second, until the visitor has logged out or may look no more."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            ask = getattr(self._socket.state, ASK_AGAIN, None)
            while ask is None or ask() is not None:
                await self._give(dumps(self._viewers.status()))
                await asyncio.sleep(STATUS_EVERY_S)
            await self._socket.close(POLICY_VIOLATION)

    async def _give(self, content: str | bytes) -> None:
        async with self._turn:
            await (self._socket.send_text(content) if isinstance(content, str) else self._socket.send_bytes(content))
