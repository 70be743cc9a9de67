"""The file: what is made is read, the same content gives the same bytes, and everything else is refused with its reason."""

from __future__ import annotations

import os
import stat
import struct
import zipfile

import pytest

from edgecls import bundle, extras
from edgecls.bundle import BundleError, verify
from edgecls.bundle.keys import MOST_SIGNATURES, PREFIX
from edgecls.bundle.manifest import MOST_MANIFEST_BYTES
from edgecls.bundle.reader import BundleReader
from edgecls.errors import ConfigError, MissingExtraError, ModelError
from edgecls.model.classifier import Classifier
from tests.bundle.made import KEY, OTHER, PART, light, signed, written, zipped

KEYS = (KEY.public,)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A signed bundle of a model, settings and a file of labels."""
    folder = tmp_path_factory.mktemp("bundle")
    notes = folder / "notes.txt"
    notes.write_text("dark: below 64\n")
    return written(folder, 7, part=PART, labels=[notes])


def refusal(path, keys=KEYS):
    """Why a bundle is refused: the word and the line."""
    with pytest.raises(BundleError) as caught:
        verify(path, keys)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return caught.value.reason, str(caught.value)


def placed(tmp_path, content):
    """Write bytes as a bundle."""
    path = tmp_path / "bad.bundle"
    path.write_bytes(content)
    return path


def test_what_is_made_is_read(whole):
    """Name, version, files, labels of the model and signers; any ZIP program opens it."""
    manifest = verify(whole, KEYS)
    assert (manifest.name, manifest.version, manifest.signers) == ("light", 7, ("fleet",))
    assert [file.path for file in manifest.files] == ["model.onnx", "cameras.part.toml", "labels/notes.txt"]
    assert manifest.labels == ("dark", "dim", "bright")
    assert manifest.model == Classifier.load(whole.with_name("new.onnx")).sha256
    assert manifest.id == f"7-{manifest.sha256[:12]}"
    with zipfile.ZipFile(whole) as opened:
        assert opened.testzip() is None
        assert opened.read("cameras.part.toml") == PART
        assert opened.namelist() == ["manifest.json", "manifest.sig", *(file.path for file in manifest.files)]


def test_the_same_content_gives_the_same_bytes(tmp_path, monkeypatch):
    """Whenever and wherever it is made; the time for people can be fixed from outside."""
    model = tmp_path / "m.onnx"
    model.write_bytes(light())
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    for name in ("a", "b"):
        made = bundle.make(tmp_path / name, name="light", version=1, model=model, keys=[KEY])
        assert made.created == "2023-11-14T22:13:20Z"
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH must be seconds"):
        bundle.make(tmp_path / "c", name="light", version=1, model=model, keys=[KEY])


def test_every_byte_counts(whole, tmp_path):
    """With any one bit changed it is refused, and so is every shorter file. Of the model, one hash, a sample will do."""
    content = bytearray(whole.read_bytes())
    model = content.index(b"model.onnx", content.index(b"manifest.sig")) + len(b"model.onnx")
    end = content.index(b"PK", model)
    for at in (*range(model), *range(model, end, 29), *range(end, len(content))):
        content[at] ^= 1 << at % 8
        reason, _ = refusal(placed(tmp_path, content))
        assert reason in ("layout", "signature", "tampered", "size", "unsigned", "truncated")
        content[at] ^= 1 << at % 8
    for length in range(0, len(content), 37):
        assert refusal(placed(tmp_path, content[:length]))[0] == ("truncated" if length else "layout")
    assert refusal(placed(tmp_path, content + b"\0"))[0] == "layout"
    assert verify(placed(tmp_path, content), KEYS)


def test_the_reason_is_named(whole, tmp_path):
    """A half download, a changed model, a changed manifest, no signature, a key that is not trusted."""
    content = whole.read_bytes()
    assert "is truncated: has" in refusal(placed(tmp_path, content[:-900]))[1]
    at = content.index(b"ReduceMean")
    assert "model.onnx was changed" in refusal(placed(tmp_path, content[:at] + b"X" + content[at + 1 :]))[1]
    assert "signature of fleet is wrong" in refusal(placed(tmp_path, content.replace(b'"version": 7', b'"version": 8')))[1]
    assert "is not signed" in refusal(written(tmp_path, 1, keys=()))[1]
    reason, line = refusal(whole, (OTHER.public,))
    assert reason == "signature"
    assert f"by {KEY.public.id}, trusted are {OTHER.public.id} (other)" in line
    assert refusal(whole, ())[1].endswith("trusted are none")
    assert refusal(tmp_path / "none.bundle")[0] == "unreadable"
    assert refusal(tmp_path)[0] == "unreadable"
    assert refusal(placed(tmp_path, b""))[1].endswith("is not a bundle: it is empty")
    assert "is not a bundle" in refusal(placed(tmp_path, b"#!/bin/sh\n" * 20))[1]


def test_a_signature_counts_for_bundles_only(tmp_path):
    """What the key signed for another purpose is no signature of a manifest."""
    manifest = b"{}"
    line = f"ed25519 {KEY.public.id} {KEY._key.sign(manifest).hex()}\n"
    assert refusal(placed(tmp_path, zipped([("manifest.json", manifest), ("manifest.sig", line.encode())])))[0] == "signature"
    assert PREFIX.endswith(b"\n")


FILES = [("model.onnx", b"m")]


@pytest.mark.parametrize(
    ("contents", "reason", "line"),
    [
        ([*FILES, ("labels/../../etc/passwd", b"x")], "manifest", "no bundle has a file 'labels/../../etc/passwd'"),
        ([*FILES, ("/etc/passwd", b"x")], "manifest", "no bundle has a file '/etc/passwd'"),
        ([*FILES, ("labels/a.txt", b"x"), ("labels/a.txt", b"y")], "manifest", "two files have the same name"),
        ([*FILES, ("labels/A.txt", b"x"), ("labels/a.txt", b"y")], "manifest", "two files have the same name"),
        ([*FILES, ("Model.onnx", b"x")], "manifest", "no bundle has a file 'Model.onnx'"),
        ([*FILES, ("labels/run.sh", b"x")], "manifest", "no bundle has a file 'labels/run.sh'"),
        ([*FILES, ("hook.py", b"x")], "manifest", "no bundle has a file 'hook.py'"),
        ([("labels/a.txt", b"x")], "manifest", "the first file must be model.onnx"),
        ([], "manifest", "the first file must be model.onnx"),
        ([*FILES, *((f"labels/{i:02}.txt", b"") for i in range(17))], "manifest", "17 files of labels, expected at most 16"),
        ([*FILES, ("labels/a.txt", bytes(1 << 22) + b"x")], "manifest", "has 4,194,305 bytes, expected at most 4,194,304"),
    ],
)
def test_even_a_trusted_key_signs_no_other_files(tmp_path, contents, reason, line):
    """Paths that lead elsewhere, programs, two files of one name: they are refused before anything is unpacked."""
    found, text = refusal(placed(tmp_path, signed(contents)))
    assert found == reason
    assert line in text


@pytest.mark.parametrize(
    ("was", "now", "reason", "line"),
    [
        (b'"format": 1', b'"format": 2', "format", "has format 2, edgecls"),
        (b'"format": 1', b'"format": true', "manifest", "it has no format"),
        (b'"needs": ""', b'"needs": "99.1"', "edgecls", "needs edgecls 99.1 or newer, here is"),
        (b'"needs": ""', b'"needs": "soon"', "manifest", "needs must be a version such as 0.3"),
        (b'"version": 1', b'"version": 0', "manifest", "must be a whole number from 1 on, not 0"),
        (b'"version": 1', b'"version": 1.0', "manifest", "version is missing or of another type"),
        (b'"version": 1', b'"version": 1e999', "manifest", "beyond the range"),
        (b'"name": "light"', b'"name": "../up"', "manifest", "the name must be letters"),
        (b'"created"', b'"creator"', "manifest", "unknown field 'creator'"),
        (b'"sha256": "', b'"sha256": "g', "manifest", "not 64 digits"),
        (b'"bytes": 1', b'"bytes": 9999999999', "manifest", "expected at most"),
        (b'"bytes": 1', b'"bytes": -1', "manifest", "expected at most"),
        (b'"bytes": 1', b'"bytes": 2', "truncated", "is truncated"),
        (b'"labels": []', b'"labels": ["a\\nb"]', "manifest", "must be lines of text"),
        (b"{", b"[" * 100_000, "manifest", "nested too deeply"),
        (b"{", b"\xff", "manifest", "invalid"),
    ],
)  # fmt: skip
def test_a_signed_manifest_is_checked_too(tmp_path, was, now, reason, line):
    """A newer format, a newer edgecls, and values that make no sense."""
    found, text = refusal(placed(tmp_path, signed(FILES, manifest=lambda made: made.replace(was, now, 1))))
    assert (found, line in text) == (reason, True), text


def test_a_huge_manifest_is_not_read(tmp_path):
    """Nor a huge list of signatures."""
    huge = b" " * (MOST_MANIFEST_BYTES + 1)
    assert refusal(placed(tmp_path, zipped([("manifest.json", huge)])))[0] == "size"
    assert refusal(placed(tmp_path, zipped([("manifest.json", b"{}"), ("manifest.sig", bytes(5000))])))[0] == "size"


def rezipped(whole, tmp_path, change=None, **settings):
    """The same files written by Python's zipfile: compressed, with links, or with others."""
    path = tmp_path / "other.bundle"
    with zipfile.ZipFile(whole) as before, zipfile.ZipFile(path, "w", **settings) as after:
        for name in before.namelist():
            info = zipfile.ZipInfo(name)
            info.compress_type = settings.get("compression", zipfile.ZIP_STORED)
            info.external_attr = 0o100644 << 16
            content = before.read(name)
            for made, data in [(info, content)] if change is None else change(info, content):
                after.writestr(made, data)
    return path


def test_other_zips_are_refused(whole, tmp_path):
    """Compressed (so no file can grow), links, further files, other cases, the wrong order, comments."""

    def bomb(info, content):
        return [(info, bytes(50_000_000) if info.filename == "model.onnx" else content)]

    def link(info, content):
        if info.filename == "model.onnx":
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            return [(info, b"/etc/passwd")]
        return [(info, content)]

    def link_of_the_same_content(info, content):
        if info.filename == "model.onnx":
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
        return [(info, content)]

    def other_case(info, content):
        info.filename = info.filename.replace("model", "MODEL")
        return [(info, content)]

    def further(info, content):
        return [(info, content)] + ([("../../x", b"y")] if info.filename.endswith(".txt") else [])

    deflated = {"compression": zipfile.ZIP_DEFLATED}
    assert "compressed" in refusal(rezipped(whole, tmp_path, **deflated))[1]
    assert "compressed" in refusal(rezipped(whole, tmp_path, bomb, **deflated))[1]
    assert refusal(rezipped(whole, tmp_path, link))[0] in ("tampered", "truncated")
    assert refusal(rezipped(whole, tmp_path, link_of_the_same_content))[0] == "layout"
    assert "found the file 'MODEL.onnx'; expected model.onnx" in refusal(rezipped(whole, tmp_path, other_case))[1]
    assert "'../../x' that its manifest does not list" in refusal(rezipped(whole, tmp_path, further))[1]
    with zipfile.ZipFile(whole) as opened:
        files = [(name, opened.read(name)) for name in opened.namelist()]
    assert verify(placed(tmp_path, zipped(files)), KEYS)
    assert "does not list" in refusal(placed(tmp_path, zipped([*files, files[2]])))[1]
    assert "found the file 'manifest.sig'; expected manifest.json" in refusal(placed(tmp_path, zipped(files[1:])))[1]
    assert refusal(placed(tmp_path, zipped([files[0], *files[2:]])))[0] == "unsigned"
    assert refusal(placed(tmp_path, zipped(files[:1])))[0] == "unsigned"
    assert refusal(placed(tmp_path, zipped([*files[:2], *files[3:]])))[0] == "truncated"
    commented = whole.read_bytes()
    commented = commented[:-2] + struct.pack("<H", 5) + b"hello"
    assert refusal(placed(tmp_path, commented))[0] == "layout"


def test_keys_are_files_of_one_line(tmp_path):
    """The private one is the owner's, neither is overwritten, and each is refused in the place of the other."""
    private, public = bundle.make_keys("fleet", tmp_path)
    assert (private.name, public.name) == ("fleet.key", "fleet.pub")
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert private.read_text().startswith("ed25519-private ")
    (key,) = bundle.load_keys([public])
    assert key.line == public.read_text().strip()
    assert bundle.load_private_key(private).public == key
    assert private.read_text().split()[1] not in repr(bundle.load_private_key(private))
    with pytest.raises(ConfigError, match=r"fleet\.key: there is a key already"):
        bundle.make_keys("fleet", tmp_path)
    with pytest.raises(ConfigError, match="which belongs on no device"):
        verify(tmp_path / "x", [private])
    with pytest.raises(ConfigError, match="which cannot sign"):
        bundle.load_private_key(public)
    with pytest.raises(ConfigError, match="the name of a key must be"):
        bundle.make_keys("a/b", tmp_path)
    public.write_text("ssh-ed25519 AAAA me\n")
    with pytest.raises(ConfigError, match="not a key; expected one line"):
        bundle.load_keys([public])
    private.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        bundle.load_private_key(private)


def test_keys_are_rotated_with_two_signatures(whole, tmp_path):
    """A bundle that both keys signed is taken by devices that trust either; then the old signature goes."""
    path = placed(tmp_path, whole.read_bytes())
    bundle.sign(path, [OTHER])
    assert verify(path, KEYS).signers == ("fleet",)
    assert verify(path, [OTHER.public]).signers == ("other",)
    assert verify(path, [OTHER.public, KEY.public]).signers == ("fleet", "other")
    once = path.read_bytes()
    bundle.sign(path, [OTHER])  # replaces its own
    assert path.read_bytes() == bytes(once)
    bundle.sign(path, [OTHER], only=True)
    assert refusal(path)[0] == "signature"
    assert verify(path, [OTHER.public]).id == verify(whole, KEYS).id
    unsigned = written(tmp_path, 2, keys=())
    assert bundle.sign(unsigned, [KEY]).signers == ("fleet",)
    assert verify(unsigned, KEYS).version == 2


def test_too_many_or_damaged_signatures_are_refused(whole, tmp_path):
    """And what is not whole cannot be signed."""
    with BundleReader(whole, None) as reader:
        manifest = reader.manifest_bytes
    line = KEY.signature_line(manifest)
    for lines in (f"{line}\n" * 2, f"{line} \n", line, f"{line.upper()}\n", f"{line}\n\n", "\n", "x\n" * (MOST_SIGNATURES + 1)):
        content = zipped([("manifest.json", manifest), ("manifest.sig", lines.encode())])
        assert refusal(placed(tmp_path, content))[0] == "signature", lines
    short = placed(tmp_path, whole.read_bytes()[:-900])
    with pytest.raises(BundleError, match="truncated"):
        bundle.sign(short, [OTHER])
    keys = [bundle.PrivateKey.of(os.urandom(32), f"k{i}") for i in range(MOST_SIGNATURES)]
    with pytest.raises(ConfigError, match="at most 16 signatures"):
        bundle.sign(placed(tmp_path, whole.read_bytes()), keys)


def test_what_cannot_be_made(tmp_path):
    """No model, a version or name that cannot be, two files of one name, a setting that no bundle may bring."""
    model, bad = tmp_path / "m.onnx", tmp_path / "bad.onnx"
    model.write_bytes(light())
    bad.write_bytes(b"no model")

    def made(**settings):
        return bundle.make(tmp_path / "x.bundle", **{"name": "light", "version": 1, "model": model, "keys": [KEY], **settings})

    with pytest.raises(ModelError):
        made(model=bad)
    with pytest.raises(ConfigError, match="whole number from 1 on"):
        made(version=0)
    with pytest.raises(ConfigError, match="the name must be"):
        made(name="a b")
    with pytest.raises(ConfigError, match=r"such as 0\.3"):
        made(needs="new")
    (tmp_path / "one").mkdir()
    notes = [tmp_path / "notes.txt", tmp_path / "one" / "notes.txt"]
    for note in notes:
        note.write_text("x")
    with pytest.raises(ConfigError, match="have this name"):
        made(labels=notes)
    with pytest.raises(ConfigError, match=r"no bundle has a file 'labels/m\.onnx'"):
        made(labels=[model])
    assert not (tmp_path / "x.bundle").exists()
    assert made(labels=[notes[0]], needs="0.1").needs == "0.1"


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ('model = "other.onnx"', "no bundle may set model; expected camera, each_camera, threads, sinks, sink"),
        ("[web]", "no bundle may set web"),
        ('[bundle]\nkeys = ["mine.pub"]', "no bundle may set bundle"),
        ('[[camera]]\nname = "a"\nsource = "rtsp://b/1"', 'part.toml:3: camera "a": no bundle may set source of a camera'),
        ('[[camera]]\nname = "a"\nreading = { decode = "ffmpeg:-i x" }', "no bundle may set reading of a camera"),
        ('[each_camera]\nreading = { decode = "ffmpeg" }', "no bundle may set reading of a camera"),
        ('[each_camera.detector]\nmodel = "/etc/passwd"', "no bundle may set the file of a detector"),
        ('[each_camera]\nname = "a"', "must be a single table without a name"),
        ("[[camera]]\nwhen = 'motion'", "camera[0] needs a name of its own"),
        ('[[camera]]\nname = "a"\n[[camera]]\nname = "a"', "needs a name of its own"),
        ('camera = { name = "a" }', "must be a list of tables"),
        ('[each_camera.zone]\nname = "${HOME}"', "has a variable of the device; a bundle may use them in outputs only"),
        ('sinks = ["mqtt://adm:secret@broker/x"]', "has a secret"),
        ('sinks = ["webhook:https://h.example/x?token=abc"]', "has a secret"),
        ('[[sink]]\nkind = "webhook"\nsecret = "abc"', "has a secret"),
        ("a = ", "not valid TOML"),
    ],
)
def test_a_bundle_brings_rules_but_neither_secrets_nor_programs(tmp_path, part, line):
    """Each setting is allowed by name; what decides on sources, programs, trust and pages is the device's own."""
    with pytest.raises(ConfigError) as caught:
        bundle.read_part(part.encode(), "part.toml")
    assert line in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_variables_of_the_device_fill_outputs(tmp_path):
    """They stay variables in the bundle."""
    part = 'sinks = ["mqtt://${USER}:${PASSWORD}@broker/x", "webhook:https://h.example/x?token=${TOKEN}"]\n'
    part += '[[sink]]\nkind = "webhook"\nsecret = "${SECRET}"\n'
    assert bundle.read_part(part.encode(), "part.toml")["sink"][0]["secret"].endswith("{SECRET}")
    with pytest.raises(ConfigError, match="not UTF-8"):
        bundle.read_part(b"\xff", "part.toml")


def test_without_the_extra_one_line_says_what_to_install(whole, monkeypatch):
    """The same for every use of it."""

    def missing(package, *, extra, purpose):
        raise MissingExtraError(package, extra, purpose)

    monkeypatch.setattr(extras, "load", missing)
    with pytest.raises(MissingExtraError, match=r"pip install 'edgecls\[fleet\]'"):
        verify(whole, KEYS)
    with pytest.raises(MissingExtraError, match="signing and checking bundles needs cryptography"):
        bundle.make_keys("x", whole.parent)
