"""Metrics for Prometheus at `/metrics`: the state of the cameras, times, labels, events, and the backlogs of other sinks.

For container runtimes `/healthz` answers 200 while the loop of the run moves, else 503: only then does a restart help.
For load balancers and people `/readyz` answers 200 while everything is delivered, or 503 with the reasons:

    {"status": "not ready", "faults": [{"part": "camera", "name": "gate", "why": "lost: no more frames after 12"}], ...}
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from edgecls import extras
from edgecls.errors import ConfigError, SinkError
from edgecls.events.health_events import LOST
from edgecls.frame import State
from edgecls.sink.network.http_messages import Answer, Request
from edgecls.sink.sink import Sink, SinkKind
from edgecls.text.address import check_host
from edgecls.text.redaction import public_text, shown
from edgecls.text.strict_json import dumps, in_utf8
from edgecls.vitals.vitals import Vitals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from edgecls.event import Event
    from edgecls.frame import PictureFault, Result, StateChange

HOST = "127.0.0.1"
SECONDS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Bounds of the histograms in seconds: from the inference of a tiny network to a camera that is seconds late."""
HEALTH, READY = "/healthz", "/readyz"


@dataclass(frozen=True, slots=True)
class PrometheusSettings:
    """Metrics for Prometheus at `to`: a port of this machine, or HOST:PORT."""

    to: str | int
    kind: Literal["prometheus"] = "prometheus"

    def __post_init__(self) -> None:
        """Validate the settings."""
        host_and_port(str(self.to))


class PrometheusSink(Sink):
    """Answers GET /metrics, /healthz and /readyz.

    `where` is a port that only this machine can reach, such as `9108`, or `HOST:PORT`, such as `0.0.0.0:9108` for all addresses
    of the machine. Counters begin at 0 with each run. Labels are the names of the cameras, regions and classes.
    """

    def __init__(self, where: str) -> None:
        """Start the server.

        Raises:
            ConfigError: `where` is invalid.
            SinkError: The port cannot be opened, for example because it is in use.
            MissingExtraError: prometheus-client is not installed.
        """
        host, port = host_and_port(where)
        client = extras.load("prometheus_client", extra="metrics", purpose="Metrics for Prometheus")
        registry = client.CollectorRegistry()

        def metric(kind: Any, name: str, what: str, *labels: str, **options: Any) -> Any:
            return kind(f"edgecls_{name}", what, labels, registry=registry, **options)

        self._frames = metric(client.Counter, "frames", "Classified frames", "camera")
        self._age = metric(client.Histogram, "age_seconds", "Time from the camera to the label", "camera", buckets=SECONDS)
        self._fit = metric(client.Histogram, "fit_seconds", "Time to shrink the regions of a frame", "camera", buckets=SECONDS)
        self._infer = metric(client.Histogram, "infer_seconds", "A frame's share of the inference", "camera", buckets=SECONDS)
        self._detections = metric(client.Counter, "detections", "Labels of regions", "camera", "region", "label")
        self._shadow = metric(client.Counter, "shadow", "Crops that both models saw", "camera", "label", "shadow_label")
        self._shadow_s = metric(client.Counter, "shadow_cpu_seconds", "CPU time of the shadow model", "camera")
        self._left_out = metric(client.Counter, "regions_left_out", "Moving regions beyond max_regions", "camera")
        self._events = metric(client.Counter, "events", "Events that began", "camera", "kind", "region", "label")
        self._states = metric(client.Enum, "camera_state", "State of a camera", "camera", states=list(get_args(State)))
        self._unfit = metric(client.Gauge, "camera_unfit", "1 while a camera has this fault", "camera", "fault")
        self._drift = metric(client.Gauge, "drift", "Size of the drift of a camera, 0 without", "camera", "cause")
        self._faults: dict[str, PictureFault] = {}  # by camera, while its pictures show one
        self._drifts: dict[str, str] = {}  # by camera, the cause of its drift while it lasts
        self._vitals = self._own_vitals = Vitals()  # until a run gives its own
        self._own_vitals.running()
        self._open: set[str] = set()  # ids of events that were counted when they began
        self._sinks: Mapping[str, Sink] = {}
        registry.register(_Backlogs(client, self))
        self._metrics = client.make_wsgi_app(registry)
        from edgecls.sink.network.http_server import HttpServer  # it delays only runs that have this sink

        try:
            self._server = HttpServer(host, port, self._answer)
        except OSError as error:
            raise SinkError(f"prometheus:{where}: cannot listen there ({error.strerror or error})") from error
        self.port = self._server.port
        self._is_closed = False

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """The sinks whose backlogs are reported, by name."""
        return self._sinks

    def beside(self, sinks: Mapping[str, Sink]) -> None:
        """Store the sinks whose backlogs are reported."""
        self._sinks = sinks

    def attend(self, vitals: Vitals) -> None:
        """Report the vital signs of the run instead of what this sink sees by itself."""
        self._vitals = vitals

    def write(self, result: Result) -> None:
        """Count the frame and its labels, and observe its times."""
        camera, timing = in_utf8(result.frame.camera), result.timing
        self._own_vitals.saw(result)
        self._show_fault(camera, None if result.unfit is None else result.unfit.fault)
        self._frames.labels(camera).inc()
        self._left_out.labels(camera).inc(result.left_out)
        self._age.labels(camera).observe(timing.age_ms / 1e3)
        self._fit.labels(camera).observe(timing.fit_ms / 1e3)
        self._infer.labels(camera).observe(timing.infer_ms / 1e3)
        if timing.shadow_ms is not None:
            self._shadow_s.labels(camera).inc(timing.shadow_ms / 1e3)
        for found in result.detections:
            if found.shadow is not None:
                names = [in_utf8(", ".join(one.names)) for one in (found.prediction, found.shadow)]
                self._shadow.labels(camera, *names).inc()
            for label in found.prediction.names:
                self._detections.labels(camera, in_utf8(found.region), in_utf8(label)).inc()

    def write_event(self, event: Event) -> None:
        """Count an event once, when it begins. A lost camera is unfit until its next frame."""
        if event.kind == "health" and event.label == LOST:
            self._unfit.labels(in_utf8(event.camera), LOST).set(event.end is None)
        if event.kind == "drift":
            self._show_drift(event)
        if event.end is not None and event.id in self._open:
            self._open.discard(event.id)
            return
        if event.end is None:
            self._open.add(event.id)
        self._events.labels(in_utf8(event.camera), event.kind, in_utf8(event.region), in_utf8(event.label)).inc()

    def write_state(self, change: StateChange) -> None:
        """Store the state of the camera."""
        self._states.labels(in_utf8(change.camera)).state(change.state)
        self._own_vitals.changed(change)

    def _show_drift(self, event: Event) -> None:
        camera = in_utf8(event.camera)
        before = self._drifts.pop(camera, None)  # its cause may be another at the end
        if before is not None:
            self._drift.labels(camera, before).set(0)
        if event.end is None:
            self._drifts[camera] = event.label
            self._drift.labels(camera, event.label).set(event.score)

    def _show_fault(self, camera: str, fault: PictureFault | None) -> None:
        before = self._faults.pop(camera, None)
        if before is not None and before != fault:
            self._unfit.labels(camera, before).set(0)
        if fault is not None:
            self._faults[camera] = fault
            self._unfit.labels(camera, fault).set(1)

    def close(self) -> None:
        """Stop the server and its thread."""
        if not self._is_closed:
            self._is_closed = True
            self._server.close()

    def _answer(self, request: Request) -> Answer:
        if request.path == HEALTH:
            return _json(found := self._vitals.liveness(), is_fine=found["status"] == "ok")
        if request.path == READY:
            return _json((ready := self._vitals.readiness()).record(), is_fine=ready.is_ready)
        return _call(self._metrics, request)


def _json(record: Mapping[str, Any], *, is_fine: bool) -> Answer:
    headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    return Answer("200 OK" if is_fine else "503 Service Unavailable", headers, dumps(record).encode() + b"\n")


def _call(app: Any, request: Request) -> Answer:
    """Call a WSGI application: that of prometheus-client supports all formats and gzip."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    environ = {
        "REQUEST_METHOD": "GET" if request.method == "HEAD" else request.method,
        "PATH_INFO": request.path,
        "QUERY_STRING": request.query,
        "HTTP_ACCEPT": request.headers.get("Accept", ""),
        "HTTP_ACCEPT_ENCODING": request.headers.get("Accept-Encoding", ""),
    }
    body = b"".join(app(environ, lambda status, headers: found.append((status, headers))))
    (status, headers), *_ = found
    return Answer(status, headers, body)


class _Backlogs:
    """Reads the backlogs of the sinks when Prometheus asks."""

    def __init__(self, client: Any, sink: PrometheusSink) -> None:
        self._client = client
        self._sink = sink

    def collect(self) -> Iterator[Any]:
        core = self._client.metrics_core
        waiting = core.GaugeMetricFamily("edgecls_waiting_events", "Events not yet delivered to a sink", labels=["sink"])
        lost = core.CounterMetricFamily("edgecls_lost_events", "Events that were lost and never reach a sink", labels=["sink"])
        dropped = core.CounterMetricFamily(
            "edgecls_dropped_results", "Results dropped because a sink was too slow", labels=["sink"]
        )
        names = _public(self._sink.sinks)
        for name, sink in zip(names, self._sink.sinks.values(), strict=True):
            backlog = sink.backlog
            for family, value in zip((waiting, lost, dropped), backlog, strict=True):
                family.add_metric([name], value)
        yield from (waiting, lost, dropped)


def _public(names: Iterable[str]) -> list[str]:
    """Return the names of sinks without secrets. Equal ones get numbers."""
    public = [in_utf8(public_text(name)) for name in names]
    counts = [public[: i + 1].count(name) for i, name in enumerate(public)]
    return [f"{name} ({count})" if count > 1 else name for name, count in zip(public, counts, strict=True)]


def host_and_port(where: str) -> tuple[str, int]:
    """Read `9108` or `HOST:9108`. Raises ConfigError."""
    host, _, port = where.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        if host:
            check_host(host)
        is_valid = port.isascii() and port.isdigit() and int(port) < 65536
    except ValueError:  # of the host, or a number of thousands of digits
        is_valid = False
    if not is_valid:
        raise ConfigError(f"prometheus:{shown(where)}: expected a port or HOST:PORT, such as prometheus:0.0.0.0:9108")
    return host or HOST, int(port)


KIND = SinkKind(PrometheusSettings, lambda out, _say: PrometheusSink(str(out.to)), "to", "a port, such as {kind}:9108")
