"""The routes of recordings: cameras whose source is a video file. No address names a file; each is looked up by its camera.

GET  /api/recordings/CAMERA            how long it is, where it begins, and why it is shown as single pictures
GET  /api/recordings/CAMERA/video      the file, whole or in parts
GET  /api/recordings/CAMERA/picture    ?at=S: the picture at this time, in seconds from the beginning, as JPEG
GET  /api/recordings/CAMERA/found/N    what the run found in the N-th few seconds, see `edgecls.web.recorded.found`
"""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from edgecls.web.answers import NotPossibleError, NotThereError, answering, json_answer
from edgecls.web.jpeg import PRIVATE
from edgecls.web.recorded.found import CHUNK_S, Found, Recording
from edgecls.web.recorded.pictures import Pictures

if TYPE_CHECKING:
    from starlette.requests import Request

    from edgecls.web.live.view_sink import ViewSink

TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm", ".mkv": "video/x-matroska",
    ".ogv": "video/ogg",
}  # fmt: skip
"""What browsers may play. Anything else is shown as single pictures."""
NOT_PLAYED = "single pictures, because browsers do not play this kind of file"
MOST_OPEN = 4


class RecordingRoutes:
    """The routes, and the recordings that are open for single pictures."""

    def __init__(self, view: ViewSink) -> None:
        """Begin with nothing open."""
        self._view = view
        self._open: dict[str, Pictures] = {}
        self._lock = threading.Lock()

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        base = "/api/recordings/{camera}"
        named = [("", self._about), ("/video", self._video), ("/picture", self._picture), ("/found/{number:int}", self._found)]
        return [Route(base + rest, answering(answer)) for rest, answer in named]

    def close(self) -> None:
        """Close all recordings."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()

    def _recording(self, request: Request) -> tuple[str, Recording]:
        name = request.path_params["camera"]
        recording = self._view.recordings().get(name)
        if recording is None or not Path(recording.path).is_file():
            raise NotThereError("there is no recording of this camera")
        return name, recording

    def _about(self, request: Request) -> Response:
        name, recording = self._recording(request)
        about = self._pictures(name, recording).about
        return json_answer({
            "camera": name, "duration_s": round(about.duration_s, 6), "first_s": round(about.first_s, 6), "chunk_s": CHUNK_S,
            "why": _why_pictures(recording),
        })  # fmt: skip

    def _video(self, request: Request) -> Response:
        _, recording = self._recording(request)
        if why := _why_pictures(recording):
            raise NotPossibleError(why)
        path = Path(recording.path)
        return FileResponse(path, media_type=TYPES[path.suffix.lower()], stat_result=path.stat())

    def _picture(self, request: Request) -> Response:
        name, recording = self._recording(request)
        at_s = float(request.query_params.get("at", "0"))
        if not math.isfinite(at_s):
            raise ValueError("at is a time in seconds")
        data, time_s = self._pictures(name, recording).at(max(0.0, at_s), recording)
        return Response(data, media_type="image/jpeg", headers={"X-Time": f"{time_s:.6f}"})

    def _found(self, request: Request) -> Response:
        name, _ = self._recording(request)
        lines, is_over = self._view.found.get(name, Found()).chunk(request.path_params["number"])
        body = f'{{"is_over":{"true" if is_over else "false"},"records":[{",".join(lines)}]}}'
        return Response(body.encode(), media_type="application/json")

    def _pictures(self, name: str, recording: Recording) -> Pictures:
        with self._lock:
            kept = self._open.pop(name, None)
            if kept is not None and not kept.is_of(recording.path):
                kept.close()
                kept = None
            kept = self._open[name] = kept or Pictures(recording.path)
            while len(self._open) > MOST_OPEN:
                self._open.pop(next(iter(self._open))).close()
            return kept


def _why_pictures(recording: Recording) -> str:
    if recording.private:
        return PRIVATE
    return "" if Path(recording.path).suffix.lower() in TYPES else NOT_PLAYED
