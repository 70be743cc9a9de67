"""What a configuration needs of the machine: devices, files that it reads, folders that it writes, ports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.sink import SINKS
from edgecls.sink.prometheus import host_and_port
from edgecls.source import files_among, recognize

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgecls.run.config import Config

LOW_PORTS = range(1, 1024)
"""Ports that only root, or CAP_NET_BIND_SERVICE, may open."""
UNKNOWN_DEVICES = frozenset({"rkmpp", "jetson", "ffmpeg"})
"""Ways to decode whose devices have other names on each board."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a configuration needs.

    Attributes:
        cameras: Whether it reads local cameras, or decodes with V4L2.
        dri: Whether it uses the GPU of Intel or AMD.
        nvidia: Whether it uses a GPU of NVIDIA.
        all_devices: The setting for which devices cannot be listed; "" if they can.
        compiles: Whether programs are compiled in memory, as for GPUs, which a service may otherwise not do.
        low_port: Whether it listens on a port below 1024.
        has_page: Whether it serves a page, which may change cameras.toml.
        reads: Files and folders that must be there, with the setting that names each.
        writes: Folders that its sinks and bundles write, with the setting.
        screen: The setting that needs a screen; "" if none does.
        address: Where the state of the run is served, such as "http://127.0.0.1:9108"; "" if nowhere.
    """

    cameras: bool
    dri: bool
    nvidia: bool
    all_devices: str
    compiles: bool
    low_port: bool
    has_page: bool
    reads: tuple[tuple[str, Path], ...]
    writes: tuple[tuple[str, Path], ...]
    screen: str
    address: str


def needs_of(config: Config, *, has_nvidia: bool = False, page: bool = False) -> Needs:
    """Return what a configuration needs.

    Args:
        config: The configuration.
        has_nvidia: Whether the machine has a GPU of NVIDIA, which is then used where a setting is "auto".
        page: Whether the run serves a page though there is no table [web], as `edgecls web` does.
    """
    from edgecls.run.web import WebSettings

    decodes = {camera.reading.decode for camera in config.camera}
    unknown = sorted(decodes & UNKNOWN_DEVICES)
    is_auto = config.device == "auto" or "auto" in decodes
    nvidia = config.device in ("cuda", "tensorrt") or "cuda" in decodes or (is_auto and has_nvidia)
    dri = config.device == "openvino" or bool(decodes & {"qsv", "vaapi", "auto"})
    web = config.web or (WebSettings() if page else None)
    ports = [host_and_port(str(out.to))[1] for out in config.outputs if out.kind == "prometheus"]
    ports += [] if web is None else [web.address[1]]
    return Needs(
        cameras=_has_local_camera(config) or bool(decodes & {"v4l2m2m", "auto"}),
        dri=dri,
        nvidia=nvidia,
        all_devices=f'decode = "{unknown[0]}"' if unknown else "",
        compiles=nvidia or dri or bool(unknown),
        low_port=any(port in LOW_PORTS for port in ports),
        has_page=web is not None,
        reads=tuple(_reads(config)),
        writes=tuple(_writes(config)),
        screen=next((f"the sink {out.kind}" for out in config.outputs if out.kind == "window"), ""),
        address=address_of(config, page=page),
    )


def address_of(config: Config, *, page: bool = False) -> str:
    """Return where a run serves its state, as this machine reaches it: at its metrics port, else with its page; or ""."""
    from edgecls.run.web import WebSettings

    for out in config.outputs:
        if out.kind == "prometheus":
            return f"http://{_reached(*host_and_port(str(out.to)))}"
    web = config.web or (WebSettings() if page else None)
    return "" if web is None else f"{web.scheme}://{_reached(*web.address)}"


def _reached(host: str, port: int) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not listened on
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _has_local_camera(config: Config) -> bool:
    return any(recognize(camera.source)[0] == "camera" for camera in config.camera)


def _reads(config: Config) -> Iterator[tuple[str, Path]]:
    if model := _own_model(config):
        yield "model", Path(model)
    if config.shadow is not None:
        yield "shadow.model", Path(config.shadow.model)
    yield from _reads_of_cameras(config)
    if config.bundle is not None:
        for key in config.bundle.keys:
            yield "bundle.keys", Path(key)
    if config.web is not None:
        for name in ("passwords", "certificate", "key"):
            if value := getattr(config.web, name):
                yield f"web.{name}", Path(value)


def _reads_of_cameras(config: Config) -> Iterator[tuple[str, Path]]:
    for i, camera in enumerate(config.camera):
        if camera.detector is not None:
            yield f"camera[{i}].detector.model", Path(camera.detector.model)
        for name in ("source", "substream"):
            for path in files_among([value] if (value := getattr(camera, name)) else []):
                yield f"camera[{i}].{name}", Path(path)


def _own_model(config: Config) -> str:
    """Return the model; "" if it is that of a bundle, whose folder is removed when newer ones have come."""
    return config.model if config.bundled is None or config.bundled.slot is None else ""


def _writes(config: Config) -> Iterator[tuple[str, Path]]:
    names = [camera.name for camera in config.camera]
    for out in config.outputs:
        kind = SINKS[out.kind]
        if kind.is_folder:
            yield f"the sink {out.kind}", Path(kind.target_of(out))
        for path in kind.files(out, names):
            yield f"the sink {out.kind}", path.parent
    if config.shadow is not None and config.shadow.store:
        yield "shadow.store", Path(config.shadow.store)
    if config.bundle is not None:
        yield "bundle.folder", Path(config.bundle.folder)
