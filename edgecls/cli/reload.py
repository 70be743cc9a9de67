"""SIGHUP has a run read its configuration again.

The signal is only noted. A thread reads the file, loads the model if it is another one, and opens what is new, while frames are
classified as before; what it has made ready is put in place between two frames. Where any of this fails one line says why, and
the run goes on with the last good configuration. A platform without SIGHUP has none of it.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from edgecls.cli.talk import say
from edgecls.errors import EdgeclsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType

    from edgecls.classifier import Classifier
    from edgecls.cli.interrupt import Interrupt
    from edgecls.run.config import Config
    from edgecls.run.pipeline import Pipeline
    from edgecls.run.sink import Sink
    from edgecls.run.site import Plan, Site
    from edgecls.run.source import Merged

NUMBER: int | None = getattr(signal, "SIGHUP", None)
END_WAIT_S = 10.0
"""How long the end of a run waits for a reload that is under way."""
ASK_EVERY_S = 0.1


class Hangup:
    """Takes SIGHUP while it is entered. Those that come before `serving` wait for it."""

    def __init__(self) -> None:
        """Take nothing yet."""
        self._came: SimpleQueue[bool] = SimpleQueue()  # of all queues the one that a handler of signals may put into

    def __enter__(self) -> Self:
        """Take the signal over."""
        if NUMBER is not None:
            signal.signal(NUMBER, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Pass over the signal from now on: given back, one that comes while the program ends would give it another exit code."""
        if NUMBER is not None:
            signal.signal(NUMBER, signal.SIG_IGN)

    @contextmanager
    def serving(self, act: Callable[[threading.Event], None]) -> Iterator[None]:
        """Call `act` in a thread after one or more signals. The event that it gets says that the run has ended."""
        ended = threading.Event()
        thread = threading.Thread(target=self._work, args=(act, ended), name="reload", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            self._came.put(False)
            thread.join(END_WAIT_S)

    def _work(self, act: Callable[[threading.Event], None], ended: threading.Event) -> None:
        while self._came.get():
            while not self._came.empty():  # several at once are one
                self._came.get()
            if not ended.is_set():
                act(ended)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._came.put(True)


class Reload:
    """Reads the configuration by `read`, and changes a run to it: its site, the frames that it takes, its model."""

    def __init__(
        self, read: Callable[[], Config], load: Callable[[Config], Classifier], site: Site, classifier: Classifier, *,
        frames: Merged, pipeline: Pipeline, interrupt: Interrupt,
    ) -> None:  # fmt: skip
        """`classifier` is that of the site's configuration, and has just been loaded."""
        self._read = read
        self._load = load
        self._site = site
        self._frames = frames
        self._pipeline = pipeline
        self._interrupt = interrupt
        self._loaded = _model_of(site.config)
        self._classifier = classifier

    def __call__(self, ended: threading.Event) -> None:
        """Do it; in a thread. Says in one line what it did, or why the run goes on as it was."""
        from edgecls.run.config import check_labels
        from edgecls.run.sink import close_sink

        try:
            config = self._read()
            model = _model_of(config)
            classifier = self._load(config) if model != self._loaded else None
            check_labels(config, (classifier or self._classifier).card.labels)
            plan = self._site.prepare(config)
        except EdgeclsError as error:
            say(f"not reloaded, the run goes on with its last good configuration: {error}")
            return
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not take the run with it
            say(f"not reloaded, the run goes on with its last good configuration: {type(error).__name__}: {error}")
            return
        done = threading.Event()
        leaving: list[Sink] = []
        self._frames.between(partial(self._interrupt.undisturbed, partial(self._change, plan, classifier, leaving, done)))
        while not (done.wait(ASK_EVERY_S) or ended.is_set()):
            pass
        if not done.is_set():
            plan.drop()
            return
        self._loaded, self._classifier = model, classifier or self._classifier
        say(f"reloaded: {plan}{f'; model: {config.model}' if classifier else ''}")
        for sink in leaving:
            close_sink(sink, say)

    def _change(self, plan: Plan, classifier: Classifier | None, leaving: list[Sink], done: threading.Event) -> None:
        """Put all of it in place; in the thread of the run."""
        if classifier is not None:
            self._pipeline.use(classifier)
        leaving += self._site.change(plan)
        done.set()


def _model_of(config: Config) -> tuple[object, ...]:
    """What the model was loaded by: another file under the same name is another model."""
    try:
        stat = Path(config.model).stat()
    except OSError:  # the loading tells of it
        return config.model, config.device, config.threads, config.on_mismatch
    return config.model, config.device, config.threads, config.on_mismatch, stat.st_mtime_ns, stat.st_size
