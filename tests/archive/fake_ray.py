"""As much of Ray as an archive uses, in this process: what it promises, and the ends that it may take."""

from __future__ import annotations

import itertools
from types import SimpleNamespace


class RayError(Exception):
    """As `ray.exceptions.RayError`."""


class FakeRay:
    """Calls an actor's method when its answer is asked for. `deaths` maps stems of recordings to reasons, each used once."""

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self, *, cores=2, deaths=(), unreachable=""):
        self.cores, self.deaths, self.unreachable = cores, list(deaths), unreachable
        self.started, self.killed, self.connected = 0, 0, None
        self._number = itertools.count()
        self._calls = {}

    def init(self, address="", **options):
        if self.unreachable:
            raise ConnectionError(self.unreachable)
        self.connected = address

    def shutdown(self):
        self.connected = None

    def cluster_resources(self):
        return {"CPU": float(self.cores), "memory": 1e9}

    def remote(self, **options):
        """Return the decorator of an actor's class."""
        return lambda kind: SimpleNamespace(remote=lambda *arguments: self._start(kind(*arguments)))

    def _start(self, actor):
        self.started += 1
        return SimpleNamespace(
            **{name: SimpleNamespace(remote=lambda *a, name=name: self._call(actor, name, a)) for name in ("load", "label")}
        )

    def _call(self, actor, name, arguments):
        reference = next(self._number)
        self._calls[reference] = (actor, name, arguments)
        return reference

    def wait(self, references, *, num_returns, timeout):
        return references[:num_returns], references[num_returns:]

    def get(self, reference):
        actor, name, arguments = self._calls.pop(reference)
        for death in self.deaths:
            if name == "label" and arguments[0].recording.stem == death[0]:
                self.deaths.remove(death)
                raise RayError(death[1])
        return getattr(actor, name)(*arguments)

    def kill(self, actor):
        self.killed += 1
