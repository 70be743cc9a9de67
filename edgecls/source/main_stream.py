"""The main stream of a camera, of which only packets are kept, read in a thread of its own."""

from __future__ import annotations

import atexit
import threading
import time
from typing import TYPE_CHECKING

from edgecls.backoff import Backoff
from edgecls.errors import AccessError, SourceError
from edgecls.source import container as opening
from edgecls.source.main_packets import MainPackets
from edgecls.source.reconnecting import FIRST_WAIT_S, HELD_S, LONGEST_WAIT_S
from edgecls.source.source import lost, stalled
from edgecls.source.threaded import CLOSE_WAIT_S, EXIT_WAIT_S, READER
from edgecls.text.control import in_one_line
from edgecls.text.redaction import hidden, redact
from edgecls.video import ffmpeg

if TYPE_CHECKING:
    from typing import Any

    from edgecls.log import Say
    from edgecls.source.source import ReadingSettings


class MainStream:
    """Connects to a stream, as often as needed, and keeps its last packets.

    Attributes:
        packets: Those of the current connection; None while there is none.
        is_lost: Whether there is none although it was tried.
        connected_s: When the last connection began to deliver, by `time.monotonic()`.
    """

    def __init__(self, url: str, name: str, reading: ReadingSettings, say: Say) -> None:
        """Begin nothing yet.

        Args:
            url: Its address.
            name: The name of the camera.
            reading: How it is read; what is kept of it is `keep_s`.
            say: Called with one line when it is lost, and when it is back.
        """
        self.packets: MainPackets | None = None
        self.is_lost = False
        self.connected_s = 0.0
        self.av = ffmpeg.load("Reading two streams of a camera")
        self._url = url
        self._name = name
        self._reading = reading
        self._say = say
        self._count = 0
        self._news = threading.Condition()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"{READER}{name} main", daemon=True)

    def start(self) -> None:
        """Connect, unless that was done before."""
        if self._thread.ident is None and not self._stopped.is_set():
            self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end, and wake those who wait for packets."""
        self._stopped.set()
        with self._news:
            self._news.notify_all()

    def close(self) -> None:
        """End the thread. One that waits for a camera which does not respond is not waited for."""
        self.stop()
        if self._thread.ident is not None:
            self._thread.join(CLOSE_WAIT_S)
            if self._thread.is_alive():
                atexit.register(self._thread.join, EXIT_WAIT_S)

    def wait(self, until_s: float) -> bool:
        """Wait for the next packet until a time by `time.monotonic()`. Returns whether one came."""
        with self._news:
            count = self._count
            self._news.wait_for(lambda: self._count != count or self._stopped.is_set(), until_s - time.monotonic())
            return self._count != count

    def _work(self) -> None:
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        while not self._stopped.is_set():
            opened_at = time.monotonic()
            try:
                self._read()
            except SourceError as error:
                self.packets = None
                self._lose(str(error))
                if isinstance(error, AccessError) and not self._count:  # trying again may lock the account
                    return
            except Exception as error:  # noqa: BLE001 - nothing joins this thread to see its error, so it is reported
                self.packets = None
                self._lose(in_one_line(redact(f"{type(error).__name__}: {error}")))
            if time.monotonic() - opened_at > HELD_S:
                backoff.reset()
            self._stopped.wait(backoff.next_s())

    def _read(self) -> None:
        """Read one connection until it ends."""
        container, live = opening.open_stream(self.av, self._url, self._reading)
        with container:
            if not live:
                raise SourceError(f"{hidden(self._url)}: is a file; expected a live stream, as the substream is one")
            packets = MainPackets(self.av, container, hidden(self._url), live=True, reading=self._reading)
            self._keep(packets)

    def _keep(self, packets: MainPackets) -> None:
        count, av = 0, self.av
        try:
            for _ in packets.read(time.monotonic):
                count += 1
                if count == 1:
                    self._connect(packets)
                with self._news:
                    self._count += 1
                    self._news.notify_all()
                if self._stopped.is_set():
                    return
        except (av.ExitError, TimeoutError):
            raise stalled(hidden(self._url), count, self._reading.read_timeout_s) from None
        except opening.faults(av):
            raise lost(hidden(self._url), count) from None  # its text contains the password
        raise lost(hidden(self._url), count)

    def _connect(self, packets: MainPackets) -> None:
        self.packets, self.connected_s = packets, time.monotonic()
        if self.is_lost:
            self.is_lost = False
            self._say(f"{self._name}: the main stream is back")

    def _lose(self, why: str) -> None:
        if not (self.is_lost or self._stopped.is_set()):
            self.is_lost = True
            self._say(f"{self._name}: main stream lost ({why}); labels and clips are of the substream until it is back")


def wait_for(stream: MainStream, most_s: float) -> Any:
    """Return a function that waits for the next packet of a stream, all its calls together for at most `most_s` seconds."""
    until_s = time.monotonic() + most_s
    return lambda: stream.wait(until_s)
