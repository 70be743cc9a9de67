"""The routes about the models of a run.

GET  /api/models                 the models that the run uses now, and how they are doing
GET  /api/models/MODEL/report    the report page beside its file
POST /api/models/MODEL/test      its self-test, once more
GET  /api/drift                  the drift of each camera

MODEL is an id from the first answer; no address names a file. The self-test runs in a thread of the lowest priority: the model
answers about its golden pictures, which takes it as long as a few frames.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from edgecls.web.answers import NOT_READABLE, NotPossibleError, NotThereError, answered, json_answer
from edgecls.web.models.beside import read_report
from edgecls.web.models.drift_record import drift_records
from edgecls.web.models.in_use import FileStates, find_model, models_of
from edgecls.web.models.record import model_record, test_record
from edgecls.web.priority import lower_thread

if TYPE_CHECKING:
    from starlette.requests import Request

    from edgecls.run.run import Run

NO_RUN = "This page is not that of a run, so it knows of no model."
NO_MODEL = "This run classifies nothing: it has neither a model nor a detector."
NO_TEST = "the file has no golden pictures; export it with edgecls to have them"
NO_REPORT = "there is no report beside the model"
REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""A report has its styles and pictures inside. Whatever it is, it runs no script and reaches nothing of the page."""


class ModelRoutes:
    """The routes, and the thread of the self-tests."""

    def __init__(self, run: Run | None) -> None:
        """Show the models of a run."""
        self._run = run
        self._files = FileStates()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="self-test", initializer=lower_thread)
        self._tests: dict[str, tuple[Any, dict[str, Any] | None]] = {}

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/api/models", self._models),
            Route("/api/models/{model}/report", self._report),
            Route("/api/models/{model}/test", self._test, methods=["POST"]),
            Route("/api/drift", self._drift),
        ]

    def close(self) -> None:
        """Answer no more self-tests."""
        self._worker.shutdown(wait=False)

    async def _models(self, _request: Request) -> Response:
        return await asyncio.to_thread(answered, self._list)

    async def _report(self, request: Request) -> Response:
        return await asyncio.to_thread(answered, self._page, request.path_params["model"])

    async def _drift(self, _request: Request) -> Response:
        return json_answer({"cameras": drift_records(self._run)})

    async def _test(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._worker, answered, self._tested, request.path_params["model"])
        except RuntimeError:  # it was closed
            return PlainTextResponse("the run ends\n", NOT_READABLE)

    def _list(self) -> Response:
        models = models_of(self._run)
        records = [model_record(model, fault=self._files.fault(model)) for model in models]
        for model, record in zip(models, records, strict=True):
            loaded, again = self._tests.get(model.id, (None, None))
            if loaded is model.loaded:
                record["self_test"] = again
        why = "" if models else NO_RUN if self._run is None else NO_MODEL
        return json_answer({"models": records, "why": why, "last": "" if self._run is None else self._run.models.last})

    def _page(self, name: str) -> Response:
        page = read_report(find_model(self._run, name).path)
        if page is None:
            raise NotThereError(NO_REPORT)
        return Response(page, media_type="text/html; charset=utf-8", headers={"Content-Security-Policy": REPORT_POLICY})

    def _tested(self, name: str) -> Response:
        model = find_model(self._run, name)
        record = test_record(model.loaded.self_test())
        if record is None:
            raise NotPossibleError(NO_TEST)
        self._tests[model.id] = model.loaded, record
        return json_answer(record)
