"""A thread that keeps pictures (`edgecls.sink.keeper`), so that neither encoding nor a slow disk delays a frame."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from edgecls.errors import DataError, EdgeclsError, SinkError
from edgecls.sink.delivery.losses import LossCounter
from edgecls.sink.keeper import Keeper, Offer
from edgecls.sink.sink import Backlog

if TYPE_CHECKING:
    from edgecls.event import Event
    from edgecls.log import Say

WRITER = "collect "
"""Prefix of the name of the thread."""
MOST_WAITING = 16
CLOSE_WAIT_S = 30.0


class KeeperThread:
    """Passes pictures to a keeper that works in a thread. Those that come too fast are dropped and counted.

    Attributes:
        keeper: Decides what is kept, and stores it.
    """

    def __init__(self, keeper: Keeper, path: str, say: Say) -> None:
        """Open the store of a keeper, and start the thread.

        Args:
            keeper: Decides what is kept, and stores it.
            path: The folder of its store.
            say: Called with a one-line message when pictures cannot be written, and when they are written again.

        Raises:
            SinkError: The store cannot be created, is damaged, or was written by a newer edgecls. One that cannot be written at
                the moment is tried again with each picture.
        """
        self.keeper = keeper
        self._losses = LossCounter(path, "pictures", say)
        self._dropped = 0
        self._queue: queue.Queue[Offer | Event | None] = queue.Queue()
        self._is_stopped = False
        try:
            keeper.open()
        except DataError as error:
            if not keeper.may_pass(error):
                raise SinkError(str(error)) from error
            self._losses.lose(error, lost=0)
        self._thread = threading.Thread(target=self._work, name=f"{WRITER}{path}", daemon=True)
        self._thread.start()

    @property
    def kept(self) -> int:
        """How many pictures were kept so far, those that were replaced since among them."""
        return self.keeper.kept

    @property
    def backlog(self) -> Backlog:
        """The number of pictures that wait for the thread, and of those that came too fast or could not be written."""
        return Backlog(waiting=self._queue.unfinished_tasks, dropped=self._dropped + self._losses.lost)

    @property
    def trouble(self) -> str:
        """Why nothing can be written at present."""
        return self._losses.trouble

    def offer(self, item: Offer) -> None:
        """Pass a picture on if it may be worth a label. Never waits."""
        if self.keeper.may_be_worth(item):
            self.put(item)

    def put(self, item: Offer | Event) -> None:
        """Pass on a picture, or an event that has ended and whose picture may be kept already. Never waits."""
        if self._queue.qsize() < MOST_WAITING:
            self._queue.put(item)
        else:
            self._dropped += isinstance(item, Offer)

    def stop(self) -> None:
        """Let the thread end once it has stored what waits, without waiting for it."""
        if not self._is_stopped:
            self._is_stopped = True
            self._queue.put(None)

    def close(self) -> None:
        """Store what waits, and close the store. May be called twice."""
        self.stop()
        self._thread.join(CLOSE_WAIT_S)
        self._losses.close()

    def _work(self) -> None:
        """Store pictures until the end. Runs in the thread."""
        self.keeper.tidy()
        self.keeper.load_network()
        while (item := self._queue.get()) is not None:
            try:
                if isinstance(item, Offer):
                    if self.keeper.keep(item):
                        self._losses.over()
                else:
                    self.keeper.end(item)
            except (EdgeclsError, OSError) as error:
                self._losses.lose(error, lost=isinstance(item, Offer))
            except Exception as error:  # noqa: BLE001 - nothing joins this thread to see its error, so it is reported
                unexpected = SinkError(f"{type(error).__name__}: {error}")
                self._losses.lose(unexpected, lost=isinstance(item, Offer))
            finally:
                self._queue.task_done()
        self.keeper.close()
        self._queue.task_done()
