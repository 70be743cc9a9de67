"""What a device does about the bundle that it should run: pull it, have it verified and tried out, and say how far it is."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from edgecls.backoff import Backoff
from edgecls.errors import EdgeclsError, SinkError
from edgecls.files import whole_file
from edgecls.fleet.pull import BrokenPullError, Pull, RefusedPullError
from edgecls.fleet.reported import FAILED, State, Update, one_line
from edgecls.text.strict_json import dumps, loads

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from edgecls.bundle import Installed, Slots, SlotState
    from edgecls.fleet.desired import Desired

FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 600.0
"""Limits of the wait between two tries to pull a bundle."""
FOLDER = "downloads"
"""Beside the slots: what has come of a download, and which file the bundle in place came from."""
LARGEST_NOTE = 10_000
STATES: dict[str, State] = {
    "waiting": "verified", "trial": "on trial", "applied": "applied", "refused": "refused", "rolled back": "rolled back",
}  # fmt: skip
"""The state of an update, by the outcome in the slots."""


class Bundles(Protocol):
    """Where bundles are installed, such as `Run.bundles`."""

    @property
    def slots(self) -> Slots:
        """The slots of this device."""

    @property
    def kept(self) -> tuple[str, ...]:
        """The settings of the bundle in use that this device sets otherwise."""

    def install(self, path: str | Path) -> Installed:
        """Verify a bundle, test it and put it in place. Raises BundleError."""

    def state(self) -> SlotState:
        """Return how the newest bundle is doing."""


class PullLimits(NamedTuple):
    """What may be pulled: the largest size, the schemes, and the hosts, none for any."""

    most_bytes: int
    allow: tuple[str, ...] = ("https",)
    hosts: tuple[str, ...] = ()


class Updates:
    """Does what a device is told, one thing at a time. It is called by one thread; `update` may be asked for by any.

    Attributes:
        update: How far it is.
    """

    def __init__(
        self, bundles: Bundles, limits: PullLimits, *, tell: Callable[[Update], None], rng: random.Random | None = None
    ) -> None:
        """Start with nothing that is desired.

        Args:
            bundles: Where bundles are installed.
            limits: What may be pulled.
            tell: Called with each change of `update`.
            rng: Varies the waits between two tries.
        """
        self.update = Update()
        self._bundles = bundles
        self._limits = limits
        self._tell = tell
        self._rng = rng
        self._folder = Path(bundles.slots.folder) / FOLDER
        self._lock = threading.Lock()
        self._pull: Pull | None = None

    def take(self, desired: Desired | None, is_over: threading.Event, *, pause_s: float = 0.0) -> None:
        """Do what is desired, and return when there is nothing more to do about it, or when `is_over` is set.

        Args:
            desired: The message; None if nothing is desired.
            is_over: Is set when something else is desired, or the run ends. Call `stop` after that.
            pause_s: How long to wait before a bundle is pulled.
        """
        if desired is not None and desired.action != "apply" and self._has_failed(desired):
            return  # why it failed is worth more than that it does nothing
        if desired is None or desired.action == "stay":
            self._say("none", "" if desired is None else "told to take nothing", desired)
        elif desired.action == "back":
            self._back(desired)
        elif known := self._known(desired):
            self._say(*known, desired)
        else:
            self._apply(desired, is_over, pause_s)

    def refresh(self, desired: Desired | None) -> None:
        """Look how the bundle that was installed is doing, after the run has taken it or has taken it back."""
        if desired is None or desired.action != "apply" or self.update.state not in ("verified", "on trial", "applied"):
            return
        known = self._known(desired)
        if known is not None:
            self._say(*known, desired)

    def stop(self) -> None:
        """Break off a download. May be called from another thread."""
        with self._lock:
            if self._pull is not None:
                self._pull.stop()

    def _apply(self, desired: Desired, is_over: threading.Event, pause_s: float) -> None:
        self._say("waiting", f"its turn is within {desired.spread_s:.0f} s" if pause_s else "", desired)
        path = None if is_over.wait(pause_s) else self._pulled(desired, is_over)
        if path is None:
            return
        try:
            installed = self._bundles.install(path)
            self._note(desired, installed.slot.id)
        except EdgeclsError as error:  # the file stays: another try after a start needs no network
            self._say("refused", one_line(str(error).removeprefix(f"{path}: ")), desired)
            return
        path.unlink(missing_ok=True)
        state, why = self._known(desired) or ("verified", "")
        self._say(state, why, desired)

    def _pulled(self, desired: Desired, is_over: threading.Event) -> Path | None:
        """Return the file of a bundle; None if it is refused or there is no more time."""
        backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S, rng=self._rng)
        try:
            pull = Pull(
                desired.url, desired.sha256, self._folder, most_bytes=self._limits.most_bytes, is_over=is_over,
                allow=self._limits.allow, hosts=self._limits.hosts,
            )  # fmt: skip
            with self._lock:
                self._pull = pull
            while not is_over.is_set():
                self._say("downloading", "", desired)
                try:
                    return pull.run()
                except BrokenPullError as error:
                    if is_over.is_set():
                        return None
                    self._say("waiting", f"{one_line(error)}; it is tried again", desired)
                is_over.wait(backoff.next_s())
        except RefusedPullError as error:
            self._say("refused", one_line(error), desired)
        finally:
            with self._lock:
                self._pull = None
        return None

    def _back(self, desired: Desired) -> None:
        """Take the newest bundle back, and only that: a broker that lies may cost a device one version, and not more."""
        state = self._bundles.state()
        if state.version == desired.version and state.current == state.id:
            why = f"told so by the roll-out {desired.rollout}"
            self._bundles.slots.roll_back(why, id_=state.current)
            self._say("rolled back", why, desired)
        elif state.version == desired.version and state.outcome == "rolled back":
            self._say("rolled back", state.reason, desired)
        else:
            self._say("none", "told to take nothing", desired)

    def _known(self, desired: Desired) -> tuple[State, str] | None:
        """Return how a bundle is doing that need not be pulled; None for another one."""
        state = self._bundles.state()
        is_newest = desired.version == state.version
        if state.current and state.current == self._noted(desired):
            return (STATES.get(state.outcome, "applied"), state.reason) if is_newest else ("applied", "")
        if is_newest and state.outcome == "rolled back":
            return "rolled back", state.reason
        if desired.version < state.floor:
            return "refused", f"version {desired.version} is older than {state.floor}, which this device has taken already"
        return None

    def _has_failed(self, desired: Desired) -> bool:
        return self.update.state in FAILED and self.update.rollout == desired.rollout

    def _say(self, state: State, why: str, desired: Desired | None) -> None:
        rollout, version = ("", 0) if desired is None else (desired.rollout, desired.version)
        update = Update(state, why, rollout, version)
        if update != self.update:
            self.update = update
            self._tell(update)

    def _note(self, desired: Desired, slot: str) -> None:
        """Write down which file a bundle came from, so that it is not pulled again after a start."""
        with contextlib.suppress(SinkError, OSError), whole_file(self._folder / "taken.json") as beside:
            beside.write_text(dumps({"sha256": desired.sha256, "id": slot}), encoding="utf-8")

    def _noted(self, desired: Desired) -> str:
        """Return the slot of the bundle from the desired file; "" if it was never installed."""
        try:
            record = loads((self._folder / "taken.json").read_text(encoding="utf-8"), most=LARGEST_NOTE)
            return str(record["id"]) if record["sha256"] == desired.sha256 else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""


def pause_s(desired: Desired, device: str) -> float:
    """Return how long a device waits before it pulls: a time of its own, so that a fleet does not pull at once."""
    digest = hashlib.sha256(f"{device}\0{desired.rollout}".encode("utf-8", "surrogatepass")).digest()
    return desired.spread_s * int.from_bytes(digest[:7], "big") / 2**56
