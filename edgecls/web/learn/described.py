"""What the routes of `edgecls.web.learn.routes` take and answer, for the description of the API."""

from __future__ import annotations

from typing import Any

from edgecls.web.json_schema import COUNT, FLAG, MAYBE_NUMBER, NUMBER, TEXT, TEXTS, list_of, maybe, of, record
from edgecls.web.learn.routes import SIZES

SHARES = {"right": MAYBE_NUMBER, "low": MAYBE_NUMBER, "high": MAYBE_NUMBER}
MAYBE_COUNT = {"type": ["integer", "null"]}


MODEL = {
    "name": TEXT, "at_s": NUMBER, "bytes": COUNT, **SHARES, "pictures": MAYBE_COUNT, "scored": MAYBE_COUNT, "labels": TEXTS,
    "why": {"type": "string", "description": "why it cannot be used; empty if it can"},
    "is_in_place": FLAG, "is_shadow": FLAG,
}  # fmt: skip
LEVEL = record({"labels": COUNT, "score": NUMBER, "unknown": NUMBER})
POINT = record({"pictures": COUNT, "low": NUMBER, "high": NUMBER}, accuracy=NUMBER, right=NUMBER)
SCHEMAS: dict[str, Any] = {
    "LearnedModel": record(MODEL),
    "LearnedDetails": record({
        **MODEL, "groups": COUNT, "folds": COUNT,
        "classes": list_of(record({"label": TEXT, "pictures": COUNT, "scored": COUNT, **SHARES})),
        "curve": list_of(POINT), "forecasts": list_of(POINT), "advice": TEXTS, "notes": TEXTS,
        "comparison": maybe(record({
            "is_current": {**FLAG, "description": "whether both models are still the same"},
            "store": TEXT, "in_use": TEXT, "verdict": TEXT, "meaning": TEXTS, "notes": TEXTS, "pictures": COUNT, "fixed": COUNT,
            "broken": COUNT, "p": NUMBER, "old": {"type": "object"}, "new": {"type": "object"},
            "classes": list_of(record({"label": TEXT, "pictures": COUNT, "old": NUMBER, "new": NUMBER, "worse": FLAG})),
        })),
    }),
    "Labels": record({
        "why": {"type": "string", "description": "why nothing can be learned; empty if something can"}, "note": TEXT,
        "classes": list_of(record({"label": TEXT, "pictures": COUNT, "moments": COUNT, "is_enough": FLAG, "advice": TEXT})),
    }),
    "Agreement": record({
        "frames": COUNT, "crops": COUNT, "left_out": COUNT, "share": NUMBER,
        "classes": list_of(record({
            "label": TEXT, "crops": COUNT, "same": COUNT, "share": NUMBER,
            "instead": list_of(record({"label": TEXT, "crops": COUNT})),
        })),
    }),
    "LearnState": record({
        "why": {"type": "string", "description": "why no model can be learned; empty if one can"},
        "job": maybe(record({
            "kind": {"enum": ["learn", "compare"]}, "store": TEXT, "model": TEXT, "by": TEXT, "why": TEXT, "stage": TEXT,
            "state": {"enum": ["running", "done", "failed", "cancelled"]}, "share": MAYBE_NUMBER, "began_at_s": MAYBE_NUMBER,
        })),
        "model": maybe(record(dict.fromkeys(("name", "learned", "why_no_swap", "why_no_way_back", "why_no_shadow"), TEXT))),
        "models": list_of(of("LearnedModel")),
        "shadow": maybe(record({
            "model": TEXT, "share": MAYBE_NUMBER, "is_running": FLAG, "why": TEXT, "agreement": maybe(of("Agreement")),
            "cost_ms": NUMBER,
        })),
        "trial": maybe(record({"frames": COUNT, "of": COUNT, "now": LEVEL, "before": LEVEL})),
        "last": TEXT, "last_at_s": MAYBE_NUMBER,
    }),
}  # fmt: skip
STATE = of("LearnState")
STORE = {"type": "string", "description": "the id of a store, from /api/teach"}
NAMED = "/api/learn/model/{name}"
DETAILS: dict[tuple[str, str], dict[str, Any]] = {
    ("get", "/api/learn"): {"summary": "The model in use, its shadow, and the learned models", "answer": STATE},
    ("get", "/api/learn/store/{store}"): {"summary": "Whether labels are enough to learn from", "answer": of("Labels")},
    ("get", NAMED): {"summary": "A learned model and how good it is", "answer": of("LearnedDetails")},
    ("post", "/api/learn"): {
        "summary": "Begin to learn from the labels of a store", "answer": STATE,
        "body": record({"store": STORE}, size={"enum": list(SIZES), "description": "the side of the input in pixels"}),
    },
    ("post", "/api/learn/cancel"): {"summary": "Stop learning or comparing", "answer": STATE},
    ("post", f"{NAMED}/compare"): {
        "summary": "Begin to compare a learned model with the one in use", "body": record({"store": STORE}), "answer": STATE,
    },
    ("post", f"{NAMED}/shadow"): {"summary": "Start a learned model as the shadow", "answer": STATE},
    ("post", "/api/learn/shadow/stop"): {"summary": "Stop the shadow", "answer": STATE},
    ("post", f"{NAMED}/place"): {"summary": "Put a learned model in place of the one in use", "answer": STATE},
    ("post", "/api/learn/back"): {"summary": "Put the model before back in place", "answer": STATE},
}  # fmt: skip
