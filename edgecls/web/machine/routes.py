"""The routes about the machine of a run.

GET  /api/machine                processor, memory, versions, what the run takes; its cameras, sinks and disks
GET  /api/machine/doctor         how the doctor is doing, and what it found last
POST /api/machine/doctor         starts it
GET  /api/machine/bench          how the bench is doing, and what it measured last
POST /api/machine/bench          starts it; {"model": ID} measures another model than the one in use
POST /api/machine/KIND/cancel    stops the doctor or the bench

Both are commands of edgecls in a child process, one at a time (`edgecls.web.jobs`). They get no text of a request: the doctor
and the bench look at models by their ids.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from edgecls.web.answers import NotPossibleError, answered, author_of, content_of, json_answer
from edgecls.web.jobs import Job, JobRunner
from edgecls.web.machine.run_state import camera_records, sink_records
from edgecls.web.machine.usage import CoreMeter, disk_records, machine_record
from edgecls.web.models.in_use import ModelInUse, find_model, models_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from edgecls.run.run import Run
    from edgecls.web.jobs import Kind
    from edgecls.web.live.view_sink import ViewSink

EXPECTED = '{"model": the id of a model}, or nothing'
NO_BENCH = "the bench measures a model that classifies, and this run has none"
SECONDS = "2"
"""Of each measurement of the bench; a viewer waits for about ten of them."""
FOUND_PROBLEMS = 1
"""The exit code of a doctor who has found some."""


class MachineRoutes:
    """The routes."""

    def __init__(self, run: Run | None, view: ViewSink, runner: JobRunner) -> None:
        """Show the machine of a run. `runner` runs the doctor and the bench; the caller closes it."""
        self._run = run
        self._view = view
        self._meter = CoreMeter()
        self._runner = runner

    def routes(self) -> list[Route]:
        """Return the routes."""
        found = [Route("/api/machine", self._machine)]
        for kind, start in (("doctor", self._doctor), ("bench", self._bench)):
            found += [
                Route(f"/api/machine/{kind}", self._job(kind)),  # type: ignore[arg-type]  # a loop over literals
                Route(f"/api/machine/{kind}", start, methods=["POST"]),
                Route(f"/api/machine/{kind}/cancel", self._cancelling(kind), methods=["POST"]),  # type: ignore[arg-type]
            ]
        return found

    async def _machine(self, _request: Request) -> Response:
        return await asyncio.to_thread(answered, self._record)

    async def _doctor(self, request: Request) -> Response:
        return await asyncio.to_thread(answered, self._start_doctor, author_of(request))

    async def _bench(self, request: Request) -> Response:
        body = await request.body()
        return await asyncio.to_thread(answered, self._start_bench, body, author_of(request))

    def _job(self, kind: Kind) -> Any:
        async def job(_request: Request) -> Response:
            return json_answer(_job_record(self._runner.latest(kind)))

        return job

    def _cancelling(self, kind: Kind) -> Any:
        async def cancel(_request: Request) -> Response:
            found = self._runner.latest(kind)
            if found is not None:
                found.cancel()
            return json_answer(_job_record(found))

        return cancel

    def _record(self) -> Response:
        run = self._run
        config = None if run is None else run.config
        has_drift = config is not None and any(not camera.drift.off for camera in config.camera)
        return json_answer({
            **machine_record(self._meter),
            "skipped": self._view.skipped(),
            "cameras": camera_records(run, self._view),
            "sinks": sink_records(run),
            "disks": disk_records(() if config is None else config.outputs, has_drift=has_drift),
        })  # fmt: skip

    def _start_doctor(self, by: str) -> Response:
        model = next(iter(self._classifiers()), None)
        job = Job("doctor", by=by, of="" if model is None else model.path)
        options = [] if model is None else ["--", model.path]
        self._runner.begin(job, ["doctor", "--json", *options], fine=(0, FOUND_PROBLEMS))
        return json_answer(_job_record(job))

    def _start_bench(self, body: bytes, by: str) -> Response:
        wanted = content_of(body, EXPECTED).get("model")
        if wanted is not None and not isinstance(wanted, str):
            raise ValueError(f"expected {EXPECTED}")
        model = next(iter(self._classifiers()), None) if wanted is None else find_model(self._run, wanted)
        if model is None or model.role == "detector":
            raise NotPossibleError(NO_BENCH)
        job, options = Job("bench", by=by, of=model.path), ["--seconds", SECONDS, "--device", model.loaded.device]
        self._runner.begin(job, ["bench", "--json", *options, "--", model.path])
        return json_answer(_job_record(job))

    def _classifiers(self) -> list[ModelInUse]:
        return [model for model in models_of(self._run) if model.role != "detector"]


def _job_record(job: Job | None) -> dict[str, Any]:
    """Return how a command is doing, and its result if it is done."""
    if job is None:
        return {"state": "none", "of": "", "line": "", "why": "", "began_at_s": None, "ended_at_s": None, "result": None}
    return {
        "state": job.state, "of": job.of, "line": next(reversed(job.lines), ""), "why": job.why, "began_at_s": job.began_at_s,
        "ended_at_s": job.ended_at_s, "result": job.result,
    }  # fmt: skip
