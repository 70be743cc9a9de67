"""Bundles for tests: keys, models that differ in a note, and ZIPs that nobody should trust."""

from __future__ import annotations

import zlib

from edgecls import bundle
from edgecls.bundle.keys import PrivateKey
from edgecls.bundle.manifest import MANIFEST, SIGNATURES, BundleFile, Manifest
from edgecls.bundle.zip_layout import Entry, directory, end_of, local_header
from edgecls.export.convert import stamp
from edgecls.input_spec import InputSpec
from edgecls.model.card import ModelCard
from tests import tiny

KEY = PrivateKey.of(bytes(range(32)), "fleet")
OTHER = PrivateKey.of(bytes(range(1, 33)), "other")
SPEC = InputSpec(height=8, width=8)
PART = b'[each_camera.health]\noff = true\n\n[[camera]]\nname = "lamp"\nstate = { dwell_s = 0.5 }\n'


def light(*labels, note=""):
    """The bytes of a model that names dark, dim and bright pictures with these labels."""
    card = ModelCard(labels or tiny.LIGHT_LABELS, SPEC, "fp32", made_with={"note": note})
    return stamp(tiny.light_graph(SPEC, len(labels) or 3), card)


def written(folder, version=1, *labels, part=None, keys=(KEY,), name="light", **settings):
    """Make a bundle of a model whose bytes tell its version. Returns its path."""
    path, model = folder / f"{name}-{version}.bundle", folder / "new.onnx"
    model.write_bytes(light(*labels, note=f"version {version}"))
    parts = None
    if part is not None:
        parts = folder / "part.toml"
        parts.write_bytes(part)
    bundle.make(path, name=name, version=version, model=model, part=parts, keys=keys, created="today", **settings)
    return path


def zipped(contents):
    """A ZIP of these names and contents, in the layout of a bundle."""
    entries, whole = [], b""
    for name, content in contents:
        entries.append(Entry(name, len(content), zlib.crc32(content), end_of(entries[-1]) if entries else 0))
        whole += local_header(entries[-1]) + content
    return whole + directory(entries)


def signed(contents, *, manifest=None, key=KEY, **settings):
    """A ZIP with a signed manifest of any files, which `make` would not write."""
    files = tuple(BundleFile.of(name, content) for name, content in contents)
    made = Manifest(settings.pop("name", "light"), settings.pop("version", 1), files, **settings).as_bytes()
    made = made if manifest is None else manifest(made)
    return zipped([(MANIFEST, made), (SIGNATURES, f"{key.signature_line(made)}\n".encode()), *contents])
