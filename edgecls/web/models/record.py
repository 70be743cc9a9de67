"""One model as plain values for JSON: its file, its card, how it was measured, and its self-test."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgecls.metrics import wilson
from edgecls.model.card import ModelCard
from edgecls.model.several_labels import SeveralLabels
from edgecls.web.models.beside import ladder_of, report_of

if TYPE_CHECKING:
    from edgecls.detect.card import DetectorCard
    from edgecls.model.measured import Measured
    from edgecls.model.self_test import SelfTest
    from edgecls.web.models.in_use import ModelInUse

DIGITS = 5


def model_record(model: ModelInUse, *, fault: str) -> dict[str, Any]:
    """Return what the page shows of a model.

    Args:
        model: The model.
        fault: How its file differs from what was loaded, "" if it does not.
    """
    loaded, card = model.loaded, model.loaded.card
    return {
        "model": model.id,
        "role": model.role,
        "name": Path(model.path).name,
        "file": model.path,
        "bytes": loaded.bytes,
        "sha256": loaded.sha256,
        "modified_at_s": _modified(model.path),
        "fault": fault,
        "cameras": list(model.cameras),
        "device": loaded.device,
        "why_device": loaded.why,
        "scheme": card.scheme,
        "about": card.about,
        "made_with": dict(card.made_with),
        "has_test": loaded.has_test,
        "self_test": test_record(loaded.tested),
        "has_report": report_of(model.path) is not None,
        **(_of_classifier(model.path, card) if isinstance(card, ModelCard) else _of_detector(card)),
        "lacks": _lacks(card, has_test=loaded.has_test),
    }


def test_record(test: SelfTest | None) -> dict[str, Any] | None:
    """Return the result of a self-test."""
    if test is None:
        return None
    return {**test._asdict(), "at_s": round(test.at_s, 3), "ms": round(test.ms, 3)}


def _of_classifier(path: str, card: ModelCard) -> dict[str, Any]:
    expects, ladder = card.input, ladder_of(path, card)
    return {
        "kind": "classifier",
        "labels": list(card.labels),
        "several": card.multi_label,
        "input": f"{expects.width}x{expects.height} {expects.color}, {expects.fit}, {expects.interpolation}",
        "dataset": card.dataset,
        "split": card.split,
        "measured_on": card.measured_on,
        "metrics": dict(card.metrics),
        "accuracy": _accuracy(card),
        "confidence": _confidence(card),
        "thresholds": list(card.confidence.thresholds) if isinstance(card.confidence, SeveralLabels) else [],
        **_measured(card.measured),
        "ladder": ladder[0],
        "ladder_fault": ladder[1],
    }


def _of_detector(card: DetectorCard) -> dict[str, Any]:
    expects = card.input
    overlap = "" if card.overlap is None else f", of which two of a class overlap by at most {card.overlap:g}"
    return {
        "kind": "detector",
        "labels": list(card.classes),
        "several": False,
        "input": f"{expects.width}x{expects.height} {expects.color}, {expects.fit}, {expects.interpolation}",
        "dataset": "", "split": "", "measured_on": "", "metrics": {}, "accuracy": None,
        "confidence": f"{card.kind}: at most {card.most} boxes in a frame{overlap}.",
        "thresholds": [],
        **_measured(None),
        "ladder": None,
        "ladder_fault": "",
    }  # fmt: skip


def _accuracy(card: ModelCard) -> dict[str, Any] | None:
    """Return the accuracy with its 95 % interval: that on the card, or that of as many independent pictures."""
    found = card.metrics
    name = "all_right" if card.multi_label else "top1"
    value, pictures = found.get(name), found.get("pictures")
    if value is None or not 0 <= value <= 1:
        return None
    low, high = found.get("top1_low"), found.get("top1_high")
    by_group = low is not None and high is not None
    if not by_group and pictures is not None and pictures > 0:
        low, high = (round(bound, DIGITS) for bound in wilson(value, pictures))
    return {"value": value, "low": low, "high": high, "pictures": pictures, "by_group": by_group}


def _confidence(card: ModelCard) -> str:
    """Return in words how the outputs are read, and when a picture is unknown."""
    read = card.confidence
    if isinstance(read, SeveralLabels):
        return f"Scores are calibrated with a temperature of {read.temperature:g}. Each label has a threshold of its own."
    by_score = f"its best probability at temperature {read.reject_temperature:g} is below {read.reject_below:g}"
    by_novelty = "" if card.novelty is None else f"its novelty is above {card.novelty.limit:g}"
    reasons = " or ".join(filter(None, [by_score if read.reject_below else "", by_novelty]))
    kept = "" if card.novelty is None else f" The novelty keeps {card.novelty.kept:.1%} of the known pictures."
    unknown = f"A picture is unknown if {reasons}.{kept}" if reasons else "No picture is ever unknown."
    return f"Scores are calibrated with a temperature of {read.temperature:g}. {unknown}"


def _measured(measured: Measured | None) -> dict[str, Any]:
    if measured is None:
        return {"classes": [], "reliability": [], "confusions": []}
    columns = zip(measured.pictures, measured.right, measured.given, strict=True)
    bins = len(measured.bins)
    return {
        "classes": [_of_class(*counts) for counts in columns],
        "reliability": [
            {"low": i / bins, "high": (i + 1) / bins, "pictures": n, "score": score, "right": right}
            for i, (n, score, right) in enumerate(measured.bins)
        ],
        "confusions": [{"truth": truth, "given": given, "pictures": n} for truth, given, n in measured.confusions],
    }


def _of_class(pictures: int, right: int, given: int) -> dict[str, Any]:
    """Return the shares of a class: of its pictures that are labelled so, and of those labelled so that are right."""
    low, high = wilson(right / pictures, pictures) if pictures else (None, None)
    return {
        "pictures": pictures,
        "recall": right / pictures if pictures else None,
        "low": low,
        "high": high,
        "precision": right / given if given else None,
    }


def _lacks(card: ModelCard | DetectorCard, *, has_test: bool) -> str:
    """Return in one sentence what a file does not say, and how to have it; "" if nothing."""
    missing = [] if has_test else ["a self-test"]
    if isinstance(card, ModelCard):
        missing += [] if card.metrics else ["its accuracy"]
        missing += [] if card.measured is not None else ["its single classes", "how reliable its scores are"]
        missing += [] if card.dataset or card.about else ["what it was trained with"]
    if not missing:
        return ""
    *first, last = missing
    listed = f"{', '.join(first)} and {last}" if first else last
    how = "export it, or adopt it with labelled pictures," if isinstance(card, ModelCard) else "adopt it"
    return f"This file says nothing of {listed}; {how} with this version of edgecls to have that."


def _modified(path: str) -> float | None:
    try:
        return round(os.stat(path).st_mtime, 3)  # noqa: PTH116 - one call, no path object
    except OSError:
        return None
