"""What tests of runs need: frames and results, a fake camera, a web server."""

from __future__ import annotations

import http.server
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edgecls import image
from edgecls.event import Event, Moment
from edgecls.frame import WHOLE_FRAME, Box, Detection, Frame, Prediction, Result, Timing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from edgecls.frame import Picture

BOUNDARY = "next-picture"


def frame(
    index: int = 0, *, camera: str = "gate", level: int = 128, size_hw: tuple[int, int] = (48, 64), file: str = ""
) -> Frame:
    """Return a plain frame at 25 frames per second, captured just now."""
    picture = np.full((*size_hw, 3), level, np.uint8)
    return image.as_frame(picture, camera, index, time_s=index / 25, captured_at=time.monotonic(), file=file)


def said(label: str = "stop", score: float = 0.9) -> Prediction:
    """Return a prediction; the rest of the score belongs to `other`."""
    return Prediction(label, score, 0, ((label, score), ("other", 1 - score)))


def result(of: Frame, *detections: Detection, age_ms: float = 3.14) -> Result:
    """Return a result; without detections, one of the whole frame."""
    height, width = of.size_hw
    whole = Detection(Box(0, 0, width, height), said(), WHOLE_FRAME)
    return Result(of, detections or (whole,), Timing(fit_ms=0.1, infer_ms=0.2, age_ms=age_ms))


def event(number: int = 0, *, ended: bool = True, camera: str = "gate", region: str = "entry", **fields: Any) -> Event:
    """Return a car that crosses a line at its own second, for half a second; each number gives another event."""
    start = Moment(number * 25, float(number), 1_763_823_787.0 + number)
    end = Moment(number * 25 + 12, number + 0.5, 1_763_823_787.5 + number) if ended else None
    said_of_it = {"kind": "crossing", "label": "car", "score": 0.98, "direction": "in", "track_id": number, "model": "street"}
    return Event(camera=camera, region=region, start=start, end=end, **said_of_it | fields)


def noise(count: int, size_hw: tuple[int, int] = (120, 160)) -> list[Picture]:
    """Return pictures that hardly compress, so half of a file contains about half of them."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (*size_hw, 3), np.uint8) for _ in range(count)]


def cut_in_half(path: Path) -> Path:
    """Keep the first half of the bytes of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def assert_only_main_thread() -> None:
    """Check that no thread is left but the main one."""
    assert [thread.name for thread in threading.enumerate()] == [threading.main_thread().name]


class FakeCapture:
    """Replaces cv2.VideoCapture: returns `pictures` every `wait_s` seconds, then nothing, or raises `error`.

    `read_by` and `released_by` are the names of the threads that did so.
    """

    def __init__(
        self, pictures: Iterable[Picture], *, wait_s: float = 0.0, opened: bool = True, error: Exception | None = None
    ) -> None:
        self._pictures = iter(pictures)
        self._wait_s = wait_s
        self._opened = opened
        self._error = error
        self.set_to: dict[int, float] = {}
        self.captured = 0
        self.converted = 0
        self._grabbed: Picture | None = None
        self.read_by: set[str] = set()
        self.released_by: list[str] = []

    def isOpened(self) -> bool:  # noqa: N802 - cv2 calls it so
        return self._opened

    def get(self, _property: int) -> float:
        return 0.0

    def set(self, key: int, value: float) -> bool:
        self.set_to[key] = value
        return True

    def grab(self) -> bool:
        self.read_by.add(threading.current_thread().name)
        time.sleep(self._wait_s)
        self._grabbed = next(self._pictures, None)
        if self._grabbed is None and self._error is not None:
            raise self._error
        self.captured += self._grabbed is not None
        return self._grabbed is not None

    def retrieve(self) -> tuple[bool, Picture | None]:
        self.converted += 1
        return self._grabbed is not None, self._grabbed

    def release(self) -> None:
        self.released_by.append(threading.current_thread().name)


class _Handler(http.server.BaseHTTPRequestHandler):
    """/camera is a motion JPEG of the server's pictures, anything else one of its files."""

    server: Any

    def do_GET(self) -> None:
        try:
            if self.path.startswith("/camera"):
                self._stream()
            else:
                self._file(self.server.files[self.path.lstrip("/")])
        except OSError:
            pass  # the client has disconnected

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        self.end_headers()
        for picture in self.server.pictures:
            if self.server.stopping.wait(self.server.wait_s):
                break
            jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
            head = f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(head.encode() + jpeg + b"\r\n")
        if self.server.then_silent:
            self.server.stopping.wait()

    def _file(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False  # so that closing the server waits for its threads


@contextmanager
def web_server(
    pictures: Sequence[Picture] = (),
    files: dict[str, bytes] | None = None,
    *,
    wait_s: float = 0.01,
    then_silent: bool = False,
) -> Iterator[str]:
    """Serve a motion JPEG camera and files on loopback; yields the address, such as http://127.0.0.1:8000.

    After its last picture the camera disconnects, or is `then_silent`: it stays connected and sends nothing.
    """
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.pictures, server.files, server.wait_s = pictures, files or {}, wait_s
        server.stopping, server.then_silent = threading.Event(), then_silent
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="web server")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.stopping.set()
            server.shutdown()
            thread.join()
