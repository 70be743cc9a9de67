"""The routes about models and the machine, for the description of the API."""

from __future__ import annotations

from typing import Any

from edgecls.web.json_schema import COUNT, FLAG, MAYBE_NUMBER, NUMBER, TEXT, TEXTS, list_of, maybe, of, record

_NUMBERS = {"type": "object", "additionalProperties": NUMBER}
_JOB = {
    "state": {"enum": ["none", "running", "done", "failed", "cancelled"]}, "of": TEXT,
    "line": {"type": "string", "description": "its latest message"}, "why": {"type": "string", "description": "why it failed"},
    "began_at_s": MAYBE_NUMBER, "ended_at_s": MAYBE_NUMBER,
}  # fmt: skip
SCHEMAS = {
    "SelfTest": record({
        "passed": FLAG, "pictures": COUNT, "found": {"type": "string", "description": "in words, with the limit"},
        "at_s": NUMBER, "ms": NUMBER,
    }),
    "Ladder": record({
        "target": TEXT, "processor": TEXT, "chosen": TEXT, "measured_on": TEXT, "tested_on": TEXT, "timed_here": FLAG,
        "rungs": list_of(record({"name": TEXT, "bytes": MAYBE_NUMBER, "us": MAYBE_NUMBER, "top1": MAYBE_NUMBER,
                                 "agreement": MAYBE_NUMBER, "refused": TEXT})),
        "left_out": list_of(record({"name": TEXT, "why": TEXT})),
    }),
    "Model": record({
        "model": {"type": "string", "description": "its id in addresses"}, "role": {"enum": ["model", "shadow", "detector"]},
        "name": TEXT, "file": TEXT, "bytes": COUNT, "sha256": TEXT, "modified_at_s": MAYBE_NUMBER,
        "fault": {"type": "string", "description": "how the file differs from what is loaded; empty if it does not"},
        "kind": {"enum": ["classifier", "detector"]}, "cameras": TEXTS, "labels": TEXTS, "input": TEXT, "scheme": TEXT,
        "device": TEXT, "has_test": FLAG, "has_report": FLAG, "self_test": maybe(of("SelfTest")), "metrics": _NUMBERS,
        "accuracy": maybe(record({"value": NUMBER, "low": MAYBE_NUMBER, "high": MAYBE_NUMBER, "by_group": FLAG})),
        "classes": {
            **list_of(record({"pictures": COUNT, "recall": MAYBE_NUMBER, "low": MAYBE_NUMBER, "high": MAYBE_NUMBER,
                              "precision": MAYBE_NUMBER})),
            "description": "in the order of the labels; empty if the card does not tell",
        },
        "reliability": list_of(record({"low": NUMBER, "high": NUMBER, "pictures": COUNT, "score": NUMBER, "right": NUMBER})),
        "confusions": list_of(record({"truth": COUNT, "given": COUNT, "pictures": COUNT})),
        "confidence": TEXT, "thresholds": list_of(NUMBER), "ladder": maybe(of("Ladder")), "ladder_fault": TEXT,
        "lacks": {"type": "string", "description": "what the file does not say, in one sentence"},
    }),
    "Models": record({"models": list_of(of("Model")), "why": TEXT, "last": TEXT}),
    "Drift": record({"cameras": list_of(record({
        "camera": TEXT, "state": {"enum": ["off", "waiting", "learning", "usual", "drift"]}, "why": TEXT,
        "left_h": {"type": "number", "description": "hours until the first days are over"}, "learn_h": MAYBE_NUMBER,
        "cause": TEXT, "helps": TEXT, "size": MAYBE_NUMBER, "region": TEXT, "since_s": MAYBE_NUMBER,
        "distances": list_of(record({
            "region": TEXT, "what": TEXT,
            "hours": {**list_of(list_of(NUMBER)), "description": "when the hour began, the distance, its limit"},
        })),
    }))}),
    "Machine": record({
        "processor": TEXT, "cores": COUNT, "memory_mb": MAYBE_NUMBER, "run_cores": MAYBE_NUMBER, "run_mb": NUMBER,
        "providers": TEXTS, "versions": {"type": "object", "additionalProperties": TEXT}, "skipped": COUNT,
        "cameras": list_of(record({"camera": TEXT, "source": TEXT, "decoding": TEXT})),
        "sinks": list_of(record({
            "sink": TEXT, "waiting": COUNT, "lost": COUNT, "dropped": COUNT,
            "trouble": {"type": "string", "description": "why nothing is delivered; empty while it works"},
        })),
        "disks": list_of(record({
            "folder": TEXT, "for": TEXTS, "free_mb": MAYBE_NUMBER, "total_mb": MAYBE_NUMBER, "why": TEXT,
        })),
    }),
    "Doctor": record({**_JOB, "result": maybe(record({
        "ok": FLAG,
        "checks": list_of(record({
            "name": TEXT, "status": {"enum": ["ok", "note", "problem"]}, "found": TEXT, "fix": TEXT,
        })),
    }))}),
    "Bench": record({**_JOB, "result": {"type": ["object", "null"], "description": "as `edgecls bench --json` writes it"}}),
}  # fmt: skip
DETAILS: dict[tuple[str, str], dict[str, Any]] = {
    ("get", "/api/models"): {"summary": "The models that the run uses now: cards, ladders, self-tests", "answer": of("Models")},
    ("get", "/api/models/{model}/report"): {"summary": "The report page beside a model", "media": "text/html"},
    ("post", "/api/models/{model}/test"): {"summary": "The self-test of a model, once more", "answer": of("SelfTest")},
    ("get", "/api/drift"): {"summary": "The drift of each camera, with the distances of the last days", "answer": of("Drift")},
    ("get", "/api/machine"): {"summary": "What the run takes of the machine; cameras, sinks, disks", "answer": of("Machine")},
    ("get", "/api/machine/doctor"): {"summary": "How the doctor is doing, and what it found", "answer": of("Doctor")},
    ("post", "/api/machine/doctor"): {"summary": "Start the doctor", "answer": of("Doctor")},
    ("post", "/api/machine/doctor/cancel"): {"summary": "Stop the doctor", "answer": of("Doctor")},
    ("get", "/api/machine/bench"): {"summary": "How the bench is doing, and what it measured", "answer": of("Bench")},
    ("post", "/api/machine/bench"): {
        "summary": "Start the bench", "body": record({}, model={**TEXT, "description": "the id of a model"}),
        "answer": of("Bench"),
    },
    ("post", "/api/machine/bench/cancel"): {"summary": "Stop the bench", "answer": of("Bench")},
}  # fmt: skip
