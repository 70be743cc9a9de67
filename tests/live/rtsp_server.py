"""An RTSP camera on loopback, for the system's python3 with GStreamer's RTSP server (see `rtsp.py`, which starts it).

    /usr/bin/python3 rtsp_server.py --fps 25 [--port N] [--user U --password P] UNITS...
    /usr/bin/python3 rtsp_server.py --fps 25 --gop 25 UNITS --sub UNITS [--sub-fps 10] [--sub-gop 10]

UNITS are files of H.264 access units as `rtsp.py` writes them; they are sent one after the other, for ever, in real time
and to all clients alike. The first line on stdout is the address. The server ends when its stdin is closed, so none is
left behind by a test that was killed. With `--sub` it has a second stream, /sub instead of /cam in the address: both show what
happens at the moment, whenever a client comes, beginning with the next key frame.
"""

import argparse
import itertools
import os
import pathlib
import struct
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - the versions come first

BEGAN_S = time.monotonic()
"""When the streams of a camera with two of them began."""


def read_units(path):
    """The access units of a file: each is its length in four bytes and then itself."""
    data = pathlib.Path(path).read_bytes()
    at, units = 0, []
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        units.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return units


class Camera(GstRtspServer.RTSPMediaFactory):
    """One pipeline for all clients, fed from memory at the pace of a camera."""

    def __init__(self, clips, fps, gop=0, late_s=0.0):
        """Take lists of access units. With the length of a group, `gop`, their time began with the server."""
        super().__init__()
        self._clips = clips
        self._fps = fps
        self._gop = gop
        self._late_s = late_s
        self.set_shared(True)
        self.set_latency(0)
        self.set_launch(
            "( appsrc name=camera is-live=true format=time block=false max-bytes=0 "
            "caps=video/x-h264,stream-format=byte-stream,alignment=au "
            "! h264parse ! rtph264pay name=pay0 pt=96 )"
        )

    def do_configure(self, media):
        """Begin to feed the pipeline of the first client."""
        source = media.get_element().get_by_name("camera")
        ended = threading.Event()
        media.connect("unprepared", lambda _: ended.set())
        threading.Thread(target=self._feed, args=(source, ended), daemon=True).start()

    def _feed(self, source, ended):
        duration = Gst.SECOND // self._fps
        units = itertools.chain.from_iterable(itertools.cycle(self._clips))
        began, at = time.monotonic(), 0
        if self._gop:
            past = int((began - BEGAN_S) * self._fps)
            first = past - past % self._gop + self._gop
            began = BEGAN_S + self._late_s + first / self._fps
            units = itertools.islice(units, first % sum(map(len, self._clips)), None)
        for number, unit in enumerate(units):
            wait_s = began + number / self._fps - time.monotonic()
            if ended.wait(max(0.0, wait_s)):
                return
            if wait_s < -1.0:  # the server was stopped for a while: a camera does not send afterwards what nobody filmed
                began -= wait_s
            buffer = Gst.Buffer.new_wrapped(unit)
            at = max(at + Gst.MSECOND, int((time.monotonic() - began) * Gst.SECOND)) if number else 0  # late ones rise too
            buffer.pts = buffer.dts = at
            buffer.duration = duration
            if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return


def with_password(server, user, password):
    """Ask every client for user and password."""
    auth = GstRtspServer.RTSPAuth()
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role("viewer", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role("viewer", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    return permissions


def main():
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("units", nargs="+")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--port", default="0")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--gop", type=int, default=0)
    parser.add_argument("--late", type=float, default=0.0, help="seconds by which the first stream is later than the second")
    parser.add_argument("--sub")
    parser.add_argument("--sub-fps", type=int, default=10)
    parser.add_argument("--sub-gop", type=int, default=10)
    arguments = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(arguments.port)
    camera = Camera([read_units(path) for path in arguments.units], arguments.fps, arguments.gop, arguments.late)
    if arguments.user:
        camera.set_permissions(with_password(server, arguments.user, arguments.password))
    server.get_mount_points().add_factory("/cam", camera)
    if arguments.sub:
        small = Camera([read_units(arguments.sub)], arguments.sub_fps, arguments.sub_gop)
        server.get_mount_points().add_factory("/sub", small)
    if server.attach(None) == 0:
        return f"port {arguments.port} cannot be had"
    sys.stdout.write(f"rtsp://127.0.0.1:{server.get_bound_port()}/cam\n")
    sys.stdout.flush()
    loop = GLib.MainLoop()
    threading.Thread(target=lambda: (os.read(0, 1), GLib.idle_add(loop.quit)), daemon=True).start()
    loop.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
