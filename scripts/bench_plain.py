"""The loop that one would write without edgecls. It needs OpenCV and a runtime, and nothing of edgecls.

python scripts/bench_plain.py RUNTIME MODEL CLIP INPUT FRAMES

RUNTIME is onnxruntime, openvino or ultralytics. INPUT is what the network gets: `gray` is 32x32 gray levels, `crop` the
center of the picture as 224x224 RGB from 0 to 1, `linear` the same without INTER_AREA. Prints a line of JSON with the frames
per second without the start, the CPU milliseconds per frame, and the versions that were measured.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIDE = 224


def main() -> int:
    """Measure one loop."""
    runtime, model, clip, kind, frames = sys.argv[1:]
    if runtime == "ultralytics":
        found = ultralytics(model, clip, int(frames))
    else:
        found = plain(RUNTIMES[runtime](model), clip, INPUTS[kind], int(frames))
    print(json.dumps(found))
    return 0


def plain(
    run: tuple[Callable[[Any], Any], str], clip: str, to_input: Callable[[Any], Any], frames: int
) -> dict[str, Any]:  # fmt: skip
    """Read a clip with OpenCV and run the network, both with all the threads they like."""
    import cv2

    call, version = run
    capture = cv2.VideoCapture(clip)
    call(to_input(next(_pictures(capture))))
    capture = cv2.VideoCapture(clip)
    began, cpu, count = time.perf_counter(), time.process_time(), 0
    for picture in itertools.islice(_pictures(capture), frames):
        json.dumps(call(to_input(picture)).tolist())
        count += 1
    return {**_rates(count, began, cpu), "versions": f"OpenCV {cv2.__version__}, {version}"}


def ultralytics(model: str, clip: str, frames: int) -> dict[str, Any]:
    """Read a clip with the streaming predict of Ultralytics."""
    import cv2
    import ultralytics
    from ultralytics import YOLO

    network = YOLO(model, task="classify")

    def labels() -> Iterator[Any]:
        return network.predict(clip, stream=True, verbose=False, imgsz=SIDE, device="cpu")

    next(labels())
    began, cpu = time.perf_counter(), time.process_time()
    count = sum(1 for result in itertools.islice(labels(), frames) if result.probs.top1 >= 0)
    return {**_rates(count, began, cpu), "versions": f"Ultralytics {ultralytics.__version__}, OpenCV {cv2.__version__}"}


def _rates(count: int, began: float, cpu: float) -> dict[str, float]:
    """Return frames per second, and CPU milliseconds per frame of all threads, since these moments."""
    spent, used = time.perf_counter() - began, time.process_time() - cpu
    return {"fps": count / spent, "cpu_ms": 1e3 * used / count}


def _pictures(capture: Any) -> Iterator[Any]:
    while (read := capture.read())[0]:
        yield read[1]


def _onnxruntime(model: str) -> tuple[Callable[[Any], Any], str]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda values: session.run(None, {name: values})[0], f"ONNX Runtime {onnxruntime.__version__}"


def _openvino(model: str) -> tuple[Callable[[Any], Any], str]:
    import openvino

    network = openvino.Core().compile_model(model, "CPU", {"PERFORMANCE_HINT": "LATENCY"})
    request = network.create_infer_request()

    def call(values: Any) -> Any:
        request.infer({0: values})
        return request.get_output_tensor(0).data

    return call, f"OpenVINO {openvino.__version__.split('-')[0]}"


def _gray(picture: Any) -> Any:
    import cv2

    gray = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    return cv2.resize(gray, (32, 32), interpolation=cv2.INTER_AREA)[None, :, :, None]


def _crop(picture: Any, interpolation: int | None = None) -> Any:
    import cv2
    import numpy as np

    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    center = picture[top : top + side, left : left + side]
    small = cv2.resize(center, (SIDE, SIDE), interpolation=cv2.INTER_AREA if interpolation is None else interpolation)
    levels = cv2.cvtColor(small, cv2.COLOR_BGR2RGB).astype(np.float32) / 255
    return np.ascontiguousarray(levels.transpose(2, 0, 1)[None])


def _linear(picture: Any) -> Any:
    import cv2

    return _crop(picture, cv2.INTER_LINEAR)


RUNTIMES = {"onnxruntime": _onnxruntime, "openvino": _openvino}
INPUTS = {"gray": _gray, "crop": _crop, "linear": _linear}

if __name__ == "__main__":
    sys.exit(main())
