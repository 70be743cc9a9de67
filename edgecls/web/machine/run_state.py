"""The cameras and the sinks of a run as plain values for JSON: how the ones are decoded, and how the others are doing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from edgecls.source import recognize
from edgecls.text.redaction import public, public_text, shown
from edgecls.web.live.status import camera_record

if TYPE_CHECKING:
    from edgecls.run.camera import Camera
    from edgecls.run.run import Run
    from edgecls.sink import Sink
    from edgecls.source import ReadingSettings
    from edgecls.web.live.view_sink import CameraView, ViewSink

CODECS = {
    "h264": "H.264", "hevc": "H.265", "mjpeg": "motion JPEG", "av1": "AV1", "libdav1d": "AV1", "vp9": "VP9", "mpeg4": "MPEG-4",
}  # fmt: skip


def camera_records(run: Run | None, view: ViewSink) -> list[dict[str, Any]]:
    """Return how each camera is read and decoded."""
    cameras = () if run is None else run.config.camera
    return [_camera(camera, view.cameras.get(camera.name)) for camera in cameras]


def sink_records(run: Run | None) -> list[dict[str, Any]]:
    """Return each sink with what waits, what was lost, and why nothing is delivered if that is so."""
    return [] if run is None else [_sink(name, sink) for name, sink in run.named_sinks.items()]


def _camera(camera: Camera, view: CameraView | None) -> dict[str, Any]:
    kind = recognize(camera.source)[0]
    packets = None if view is None else view.packets
    codec = "" if packets is None else str(packets.stream.codec)
    now = None if view is None else camera_record(view, time.monotonic())
    return {
        "camera": camera.name,
        "source": shown(str(camera.source), public),
        "decoding": ", ".join(filter(None, [CODECS.get(codec, codec), _decoder(kind, camera.reading), *_less(camera.reading)])),
        "size": None if now is None else now["size"],
        "fps": None if now is None else now["fps"],
    }


def _decoder(kind: str, reading: ReadingSettings) -> str:
    if kind == "folder":
        return "pictures of a folder"
    if reading.decoder == "opencv" or (reading.decoder == "auto" and kind == "camera"):
        return "decoded by OpenCV on the processor"
    wheres = {"software": "on the processor", "auto": "in hardware where that works, else on the processor"}
    return f"decoded by FFmpeg {wheres.get(reading.decode, f'in hardware ({reading.decode})')}"


def _less(reading: ReadingSettings) -> list[str]:
    """Return what is left out, in words."""
    return [
        *(["key frames only"] if reading.keyframes else []),
        *(["without the loop filter"] if reading.fast_decode else []),
        *([f"one frame of {reading.every} is used"] if reading.every > 1 else []),
        *([f"at most {reading.fps:g} frames a second"] if reading.fps is not None else []),
    ]


def _sink(name: str, sink: Sink) -> dict[str, Any]:
    return {"sink": name, **sink.backlog._asdict(), "trouble": public_text(sink.trouble)}
