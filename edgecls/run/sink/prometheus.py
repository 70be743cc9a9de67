"""Numbers for Prometheus: how the cameras are, how fast, what they see, what waits and what was lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from edgecls import extras
from edgecls.errors import ConfigError, SinkError, redact
from edgecls.frame import State
from edgecls.run.faults import LOST
from edgecls.run.sink.contract import Sink
from edgecls.run.wire import in_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgecls.event import Event
    from edgecls.frame import PictureFault, Result, StateChange

HOST = "127.0.0.1"
SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Bounds of the histograms: from the inference of a tiny network to a camera that is seconds late."""
CLOSE_WAIT_S = 2.0


class PrometheusSink(Sink):
    """Answers GET /metrics at `where`: a port on this machine alone, such as `9108`, or `HOST:PORT` (`0.0.0.0:9108` is all of
    its addresses). Numbers count from the start of the run; labels are the cameras', regions' and classes' own names.
    """

    def __init__(self, where: str) -> None:
        """Start to answer. Raises ConfigError, SinkError where the port is taken, MissingExtraError without
        prometheus-client.
        """
        host, port = host_and_port(where)
        client = extras.load("prometheus_client", extra="metrics", purpose="Metrics for Prometheus")
        registry = client.CollectorRegistry()

        def made(kind: Any, name: str, what: str, *labels: str, **options: Any) -> Any:
            return kind(f"edgecls_{name}", what, labels, registry=registry, **options)

        self._frames = made(client.Counter, "frames", "Frames that were classified", "camera")
        self._age = made(client.Histogram, "age_seconds", "From the camera to the label", "camera", buckets=SECONDS)
        self._fit = made(client.Histogram, "fit_seconds", "Shrinking the regions of a frame", "camera", buckets=SECONDS)
        self._infer = made(client.Histogram, "infer_seconds", "A frame's share of the inference", "camera", buckets=SECONDS)
        self._detections = made(client.Counter, "detections", "Labels that were given", "camera", "region", "label")
        self._events = made(client.Counter, "events", "Events that began", "camera", "kind", "region", "label")
        self._states = made(client.Enum, "camera_state", "How a camera is", "camera", states=list(get_args(State)))
        self._unfit = made(client.Gauge, "camera_unfit", "1 while a camera has this fault", "camera", "fault")
        self._faults: dict[str, PictureFault] = {}  # of the cameras whose pictures show one
        self._open: set[str] = set()  # the ids of events that were counted when they began
        self._sinks: Mapping[str, Sink] = {}
        registry.register(_Backlogs(client, self))
        try:
            self._server, self._thread = client.start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            raise SinkError(f"prometheus:{where}: cannot be listened at ({error.strerror or error})") from error
        self.port: int = self._server.server_port
        self._is_closed = False

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """The sinks whose backlogs are told, by their names."""
        return self._sinks

    def beside(self, sinks: Mapping[str, Sink]) -> None:
        """Tell of the backlogs of these sinks too."""
        self._sinks = sinks

    def write(self, result: Result) -> None:
        """Count it."""
        camera, timing = in_utf8(result.frame.camera), result.timing
        self._show_fault(camera, None if result.unfit is None else result.unfit.fault)
        self._frames.labels(camera).inc()
        self._age.labels(camera).observe(timing.age_ms / 1e3)
        self._fit.labels(camera).observe(timing.fit_ms / 1e3)
        self._infer.labels(camera).observe(timing.infer_ms / 1e3)
        for found in result.detections:
            self._detections.labels(camera, in_utf8(found.region), in_utf8(found.prediction.label)).inc()

    def write_event(self, event: Event) -> None:
        """Count it once, when it begins; a lost camera is unfit until its next frame."""
        if event.kind == "health" and event.label == LOST:
            self._unfit.labels(in_utf8(event.camera), LOST).set(event.end is None)
        if event.end is not None and event.id in self._open:
            self._open.discard(event.id)
            return
        if event.end is None:
            self._open.add(event.id)
        self._events.labels(in_utf8(event.camera), event.kind, in_utf8(event.region), in_utf8(event.label)).inc()

    def write_state(self, change: StateChange) -> None:
        """Keep it."""
        self._states.labels(in_utf8(change.camera)).state(change.state)

    def _show_fault(self, camera: str, fault: PictureFault | None) -> None:
        before = self._faults.pop(camera, None)
        if before is not None and before != fault:
            self._unfit.labels(camera, before).set(0)
        if fault is not None:
            self._faults[camera] = fault
            self._unfit.labels(camera, fault).set(1)

    def close(self) -> None:
        """End the server and its thread."""
        if not self._is_closed:
            self._is_closed = True
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(CLOSE_WAIT_S)


class _Backlogs:
    """Reads the backlogs of the sinks when Prometheus asks."""

    def __init__(self, client: Any, sink: PrometheusSink) -> None:
        self._client = client
        self._sink = sink

    def collect(self) -> Iterator[Any]:
        core = self._client.metrics_core
        waiting = core.GaugeMetricFamily("edgecls_waiting_events", "Events that a sink has not got yet", labels=["sink"])
        lost = core.CounterMetricFamily("edgecls_lost_events", "Events that a sink will never get", labels=["sink"])
        dropped = core.CounterMetricFamily("edgecls_dropped_results", "Results that a sink was too slow for", labels=["sink"])
        for name, sink in self._sink.sinks.items():
            backlog = sink.backlog
            for family, value in zip((waiting, lost, dropped), backlog, strict=True):
                family.add_metric([in_utf8(redact(name))], value)
        yield from (waiting, lost, dropped)


def host_and_port(where: str) -> tuple[str, int]:
    """Read `9108` or `HOST:9108`. Raises ConfigError."""
    host, _, port = where.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise ConfigError(f"prometheus:{where}: expected a port or HOST:PORT, such as prometheus:0.0.0.0:9108")
    return host.strip("[]") or HOST, int(port)
