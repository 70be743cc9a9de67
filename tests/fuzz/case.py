"""What is fuzzed: a case, the good cases that others are made of, and the good files that calls may read beside the bad one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import av
from hypothesis import strategies as st

from tests import drawn, tiny

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    Change = Callable[[bytes], st.SearchStrategy[bytes]]


@dataclass(frozen=True)
class Case:
    """Files to write into an empty folder, the command line to call there, and variables of the environment."""

    argv: tuple[object, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Name what is called and the files, whose bytes the failure message says where to find."""
        sizes = {name: len(data) for name, data in self.files.items()}
        variables = "".join(f"{name}={value!r} " for name, value in self.environment.items())
        return f"{variables}edgecls {' '.join(map(str, self.argv))!r} on {sizes}"


@dataclass(frozen=True)
class Seed:
    """A good case, which of its files is spoiled, and how. `code` is the exit code of the unspoiled case."""

    case: Case
    file: str
    changes: tuple[Change, ...]
    code: int = 0

    def spoiled(self) -> st.SearchStrategy[Case]:
        """The case with its file after one of the changes."""
        return _spoiled(self)


@st.composite
def _spoiled(draw: st.DrawFn, seed: Seed) -> Case:
    """As `Seed.spoiled`. Hypothesis prints of it what it makes, and not the bytes that it is made of."""
    data = draw(st.one_of([change(seed.case.files[seed.file]) for change in seed.changes]))
    return replace(seed.case, files={**seed.case.files, seed.file: data})


@dataclass(frozen=True)
class Target:
    """`seeds` makes the good cases from a folder of good files, `cases` further bad ones; `weight` is how long a call takes
    against others. With `keras` the calls need Keras, and the folder has Keras files.
    """

    name: str
    seeds: Callable[[Path], Sequence[Seed]] = lambda _good: ()
    cases: Callable[[Path], st.SearchStrategy[Case]] | None = None
    weight: int = 1
    keras: bool = False

    def strategy(self, good: Path) -> st.SearchStrategy[Case]:
        """Bad cases of all kinds."""
        seeds = list(self.seeds(good))
        spoiled = [st.sampled_from(seeds).flatmap(Seed.spoiled)] if seeds else []
        return st.one_of(*spoiled, *([self.cases(good)] if self.cases else []))


def write_good_files(folder: Path) -> None:
    """Write the good files that calls may read beside the bad one."""
    (folder / "light.onnx").write_bytes(tiny.light_model())
    (folder / "numbers.onnx").write_bytes(tiny.light_model(labels=("0", "1", "2")))
    (folder / "words.txt").write_text("a\nb\nc\nd\n")
    drawn.write_class_folders(folder / "pictures", pictures=3, names=("disc", "ring"))
    for name, codec in VIDEOS.items():
        _write_video(folder / name, codec)


VIDEOS = {"clip.avi": "mpeg4", "clip.mp4": "libx264", "clip.ts": "libx264", "clip.mkv": "libx264", "clip.flv": "libx264",
          "clip.mov": "mjpeg", "clip.webm": "libvpx", "clip.mpg": "mpeg2video", "clip.h264": "libx264",
          "clip.mjpeg": "mjpeg"}  # fmt: skip
"""The good videos and the codec of each."""


def _write_video(path: Path, codec: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "5"})
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for picture in drawn.gray_levels(range(0, 250, 25)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
