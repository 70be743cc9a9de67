"""Reading picture files: complete files are read; truncated, damaged and too large files are one-line errors."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib

import cv2
import numpy as np
import pytest

from edgecls import DataError, image
from edgecls.dataset import scan
from edgecls.dataset.pictures import decode
from edgecls.image import header, jpeg

RNG = np.random.default_rng(0)
NOISE = RNG.integers(0, 255, (96, 160, 3), dtype=np.uint8)
SOFT = cv2.GaussianBlur(cv2.resize(NOISE, (640, 480)), (9, 9), 0)
PLAIN = np.full((300, 400, 3), 90, np.uint8)
KINDS = {
    "usual": [],
    "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
    "optimized": [cv2.IMWRITE_JPEG_OPTIMIZE, 1],
    "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 10],
    "fine": [cv2.IMWRITE_JPEG_QUALITY, 100],
    "coarse": [cv2.IMWRITE_JPEG_QUALITY, 20],
}


def coded(suffix: str, picture: np.ndarray, options: list[int] | None = None) -> bytes:
    return bytes(cv2.imencode(suffix, picture, options or [])[1])


def read(data: bytes) -> np.ndarray:
    return image.decode(data, "p.jpg")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("picture", [NOISE, SOFT, PLAIN, PLAIN[..., 0], SOFT[..., 1], NOISE[:7, :9]])
def test_a_complete_jpeg_is_read_as_by_opencv(picture, kind):
    """Any kind of JPEG, whatever follows its end: a video, another picture, zeros."""
    data = coded(".jpg", picture, KINDS[kind])
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    for appended in (b"", b"\0\0\0\x18ftypmp42" + RNG.bytes(20_000), data, bytes(4096), b"\xff\xda\xff\xff" * 9):
        assert np.array_equal(read(data + appended), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.5, 0.9])
def test_a_jpeg_that_is_cut_off_is_refused(kind, share):
    """Also with other data after it."""
    data = coded(".jpg", SOFT, KINDS[kind])
    cut = data[: int(len(data) * share)]
    with pytest.raises(DataError, match="cut off"):
        read(cut)
    with pytest.raises(DataError, match="cut off"):
        read(cut + bytes(1000))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("picture", [NOISE, SOFT], ids=["noise", "soft"])
@pytest.mark.parametrize("rest", [0, 300])
def test_a_jpeg_with_an_empty_middle_is_damaged(picture, kind, rest):
    """After a third it contains zeros, up to its end or to its last bytes."""
    data = coded(".jpg", picture, KINDS[kind])
    third = len(data) // 3
    lost = data[:third] + bytes(len(data) - third - rest - 2) + data[len(data) - rest - 2 :]
    with pytest.raises(DataError, match="damaged"):
        read(lost)


@pytest.mark.parametrize("picture", [NOISE, SOFT], ids=["noise", "soft"])
def test_visible_bit_flips_are_mostly_found(picture):
    """After a flipped bit the decoder loses synchronization, and ends too early or too late."""
    data = coded(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    good, start = read(data).astype(int), jpeg.layout(data).scans[0].start
    missed = found = 0
    for at in RNG.integers(start, len(data) - 300, 60).tolist():
        flipped = bytearray(data)
        flipped[at] ^= 0x10
        try:
            missed += np.abs(read(bytes(flipped)) - good).mean() > 4
        except DataError:
            found += 1
    assert found > missed


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 200, b"ab", RNG.bytes(20).replace(b"\xff", b"a")])
def test_a_camera_may_pad_its_data(padding):
    """A few surplus bytes before the end are not damage, nor are more bytes if they are all equal."""
    data = coded(".jpg", SOFT)
    assert np.array_equal(read(data[:-2] + padding + data[-2:]), read(data))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("picture", [NOISE, SOFT, PLAIN, PLAIN[..., 0], PLAIN - 90, PLAIN + 38, SOFT[..., 1], NOISE[:7, :9]])
def test_an_old_opencv_that_fills_in_pixels_reads_complete_files(monkeypatch, picture, kind):
    """Also gray and black pictures, whose pixels equal those that it fills in."""
    monkeypatch.setattr(jpeg, "_stops_without_data", lambda: False)
    data = coded(".jpg", picture, KINDS[kind])
    assert np.array_equal(read(data), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("picture", [NOISE, SOFT], ids=["noise", "soft"])
def test_an_old_opencv_that_fills_in_pixels_detects_damage(monkeypatch, picture):
    """If data is too short, the picture depends on what follows it; if data is too long, it does not."""
    monkeypatch.setattr(jpeg, "_stops_without_data", lambda: False)
    data = coded(".jpg", picture)
    half = len(data) // 2
    with pytest.raises(DataError, match="cut off"):
        read(data[:-100])
    with pytest.raises(DataError, match="ends before its last pixel"):
        read(data[:half] + data[-2:])
    with pytest.raises(DataError, match="goes on after its last pixel"):
        read(data[:-2] + RNG.bytes(200).replace(b"\xff", b"a") + data[-2:])


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff", ".bmp", ".gif", ".avif", ".jp2", ".ppm", ".pgm", ".ras", ".hdr"])
def test_the_header_states_the_size_and_truncated_files_are_refused(suffix):
    """For all formats that OpenCV writes."""
    if not cv2.haveImageWriter(f"p{suffix}"):
        pytest.skip("this OpenCV is too old for this format")
    picture = NOISE.astype(np.float32) / 255 if suffix == ".hdr" else NOISE[..., 0] if suffix == ".pgm" else NOISE
    data = coded(suffix, picture)
    assert header.size(data) == (160, 96)
    assert read(data).shape == (96, 160, 3)
    for share in (0.4, 0.9):
        with pytest.raises(DataError):
            read(data[: int(len(data) * share)])


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def bomb(side: int) -> bytes:
    """Return a black PNG with sides of this many pixels, in a file a thousand times smaller than its pixels."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + 3 * side)) for _ in range(side)) + packer.flush()
    return (
        header.PNG
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


TOO_LARGE = {
    "png": header.PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 32000, 32000, 8, 2, 0, 0, 0)) + bytes(100),
    "jpeg": b"\xff\xd8\xff\xe0\0\4ab\xff\xc0\0\x11\x08" + struct.pack(">HH", 32000, 32000) + bytes(100),
    "gif": b"GIF89a" + struct.pack("<HH", 32000, 32000) + bytes(100),
    "bmp": b"BM" + bytes(12) + struct.pack("<Iii", 40, 32000, -32000) + bytes(100),
    "webp": b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (31999).to_bytes(3, "little") * 2 + bytes(100),
    "tiff": b"II*\0\x08\0\0\0\x02\0" + struct.pack("<HHIIHHII", 256, 4, 1, 32000, 257, 4, 1, 32000) + bytes(100),
    "ppm": b"P6\n# a comment\n32000 32000\n255\n" + bytes(100),
    "avif": b"\0\0\0\x1cftypavif" + bytes(20) + b"ispe\0\0\0\0" + struct.pack(">II", 32000, 32000) + bytes(100),
    "jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20) + b"ihdr" + struct.pack(">II", 32000, 32000) + bytes(100),
    "hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 32000 +X 32000\n" + bytes(100),
    "exr": b"\x76\x2f\x31\x01\2\0\0\0dataWindow\0box2i\0\x10\0\0\0" + struct.pack("<4i", -1, 0, 31998, 31999) + bytes(100),
    "pfm": b"PF\n32000 32000\n-1.0\n" + bytes(100),
    "pgm of 16 bits": b"P5\n32000 32000\n65535\n" + bytes(100),
    "png of 16 bits": header.PNG + chunk(b"IHDR", struct.pack(">IIBBBBB", 32000, 32000, 16, 2, 0, 0, 0)) + bytes(100),
}


WEIGHTS = {"avif": 2, "gif": 2, "jp2": 2, "hdr": 2, "exr": 4, "pfm": 4, "png of 16 bits": 2, "pgm of 16 bits": 2}
"""How much a pixel counts in formats that take more memory."""


@pytest.mark.parametrize("kind", TOO_LARGE)
def test_too_many_pixels_are_refused_by_the_header(kind):
    """Before decoding; the error explains how to allow them."""
    weight = WEIGHTS.get(kind, 1)
    refused = (
        rf"p: its header states 32000x32000 pixels, more than the {120_000_000 // weight:,} that are allowed"
        rf"( for a file of its kind)?; set EDGECLS_MAX_PIXELS={1_024_000_000 * weight} "
    )
    with pytest.raises(DataError, match=refused):
        image.decode(TOO_LARGE[kind], "p")


def test_a_bomb_takes_no_memory(tmp_path):
    """A PNG of 12000x12000 would need 432 MB; it is refused, and memory grows by less than 50 MB."""
    (tmp_path / "bomb.png").write_bytes(bomb(12_000))
    code = (
        "import resource\nfrom edgecls import DataError, image\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    image.load('bomb.png')\nexcept DataError as error:\n    print(error)\n"
        "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    line, grown_mb = done.stdout.splitlines()
    assert "12000x12000" in line
    assert int(grown_mb) < 50


def test_the_limit_can_be_changed(monkeypatch):
    """By an environment variable."""
    data = coded(".png", NOISE)
    monkeypatch.setenv("EDGECLS_MAX_PIXELS", str(160 * 96 - 1))
    with pytest.raises(DataError, match="160x96 pixels, more than the 15,359"):
        read(data)
    monkeypatch.setenv("EDGECLS_MAX_PIXELS", str(160 * 96))
    assert read(data).shape == NOISE.shape


RAMP = np.linspace(0, 1, 256)[None].repeat(4, 0)
"""256 levels from 0 to 1."""


def with_bits(data: bytes, bits: int) -> bytes:
    """Return a PNG that declares this many significant bits."""
    return data[:33] + chunk(b"sBIT", bytes([bits])) + data[33:]


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_levels_of_12_bits_use_the_whole_range(suffix):
    """The largest level becomes white, and the caller is notified."""
    notes: list[tuple[str, int]] = []
    data = coded(suffix, np.rint(RAMP * 4095).astype(np.uint16))
    levels = image.decode(data, "xray", note=lambda *found: notes.append(found))[0, :, 0]
    assert levels[0] == 0
    assert levels[-1] == 255
    assert np.abs(levels - np.arange(256)).max() <= 1
    assert notes == [("xray", 12)]
    assert image.few_bits(notes) == "xray: 16-bit levels of which only 12 bits are used; read as 12-bit pictures"


@pytest.mark.parametrize("bits", [9, 10, 12, 14])
def test_a_png_that_declares_its_bits_is_read_with_them(bits):
    """With unscaled levels, or with levels scaled to 16 bits as the PNG standard requires."""
    low = np.rint(RAMP * (2**bits - 1)).astype(np.uint16)
    for stored in (low, low << (16 - bits)):
        levels = image.decode(with_bits(coded(".png", stored), bits), "p")[0, :, 1]
        assert levels[-1] == 255
        assert np.abs(levels.astype(int) - np.arange(256)).max() <= 1


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
@pytest.mark.parametrize("largest", [65535, 30000, 5000])
def test_a_picture_of_16_bits_is_read_as_by_opencv(suffix, largest):
    """A dark picture stays dark."""
    data = coded(suffix, np.rint(RAMP * largest).astype(np.uint16))
    expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(image.decode(data, "p", note=lambda *_: pytest.fail("nothing to say")), expected)


def test_pictures_of_12_bits_are_reported_once(tmp_path):
    """Training and evaluation get one line about all of them."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for i in range(3):
            cv2.imwrite(str(tmp_path / name / f"{i}.png"), (RNG.random((8, 8)) * 4095).astype(np.uint16))
    found = decode(scan(tmp_path).items, image_spec())
    assert len(found.items) == 6
    assert len(found.notes) == 1
    assert "and 5 more: 16-bit levels of which only 12 bits are used" in found.notes[0]


def image_spec():
    from edgecls import InputSpec

    return InputSpec(8, 8)


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".JFIF", ".jif", ".heic", ".pam"])
def test_extensions_of_pictures(tmp_path, suffix):
    """In class folders, files with any of them are pictures; a HEIC file is reported as unreadable."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"0{suffix}").write_bytes(coded(".jpg", NOISE))
    assert len(scan(tmp_path).items) == 2
    heic = b"\0\0\0\x18ftypheic" + bytes(100)
    with pytest.raises(DataError, match=r"a HEIC picture, which OpenCV cannot read; convert it to JPEG"):
        image.decode(heic, "p.heic")


def test_components_of_jpeg_2000_count():
    """Each component takes as much memory as a picture."""
    data = bytearray(coded(".jp2", NOISE))
    at = data.index(b"\xff\x4f\xff\x51")
    data[at + 40 : at + 42] = struct.pack(">H", 16384)
    data[at + 8 : at + 16] = struct.pack(">II", 1000, 1000)
    with pytest.raises(DataError, match="more than the 60,000,000 that are allowed"):
        read(bytes(data))


def test_a_scan_with_a_short_header_is_damage():
    """The header is shorter than a valid one can be."""
    data = coded(".jpg", NOISE)
    at = data.index(b"\xff\xda")
    with pytest.raises(DataError, match=r"cut off|damaged|decode"):
        read(data[: at + 2] + b"\0\4\1\2" + data[at + 14 :])


def test_a_tiff_whose_directory_is_outside_the_file():
    """A BigTIFF may state any 64-bit offset."""
    with pytest.raises(DataError, match="not a picture"):
        read(b"II+\0\x08\0\0\0" + b"\xff" * 8 + bytes(100))


@pytest.mark.parametrize("kind", ["fifo", "device", "folder", "null byte"])
def test_anything_but_a_file_is_refused_at_once(tmp_path, kind):
    """Without waiting or reading endlessly."""
    path = {"device": "/dev/zero", "folder": str(tmp_path), "null byte": "a\0.png"}.get(kind, str(tmp_path / "p.png"))
    if kind == "fifo":
        os.mkfifo(path)
    with pytest.raises(DataError, match="cannot be read"):
        image.load(path)


EXIF = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
"""Orientation 6: a quarter turn."""


def test_orientation_in_png_webp_and_jpeg():
    """Pictures in all three formats are turned upright."""
    png = coded(".png", NOISE)
    assert read(png[:33] + chunk(b"eXIf", EXIF) + png[33:]).shape == (160, 96, 3)
    for exif in (EXIF, b"Exif\0\0" + EXIF):
        assert read(as_webp(exif)).shape == (160, 96, 3)
    marker = b"\xff\xe1" + struct.pack(">H", len(EXIF) + 8) + b"Exif\0\0" + EXIF
    data = coded(".jpg", NOISE)
    assert read(data[:2] + marker + data[2:]).shape == (160, 96, 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_webp_is_turned_like_a_jpeg(orientation):
    """Whether or not OpenCV does it; versions before 5 do not."""
    exif = EXIF[:18] + bytes([orientation]) + EXIF[19:]
    jpg = coded(".jpg", SOFT[:96, :160])
    marker = b"\xff\xe1" + struct.pack(">H", len(exif) + 8) + b"Exif\0\0" + exif
    expected = read(jpg[:2] + marker + jpg[2:])
    found = read(as_webp(exif, SOFT[:96, :160]))
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 4


KINDS_OF_FILES = [
    ".apng",
    ".avif",
    ".bmp",
    ".gif",
    ".hdr",
    ".jp2",
    ".jpg",
    ".pam",
    ".pfm",
    ".pgm",
    ".png",
    ".ras",
    ".tiff",
    ".webp",
]


@pytest.mark.parametrize("suffix", KINDS_OF_FILES)
def test_the_error_for_an_invalid_file_is_one_line(tmp_path, suffix):
    """An empty file, a text file, a folder, and the beginning of a picture."""
    if not cv2.haveImageWriter(f"p{suffix}"):
        pytest.skip("this OpenCV is too old for this format")
    picture = SOFT.astype(np.float32) / 255 if suffix in (".hdr", ".pfm") else SOFT[..., 0] if suffix == ".pgm" else SOFT
    data = coded(suffix, picture)
    found = {"empty": b"", "text": b"hello, world\n"} | {f"{n}": data[: len(data) * n // 10] for n in (1, 5, 9)}
    for name, content in found.items():
        (tmp_path / f"{name}{suffix}").write_bytes(content)
    (tmp_path / f"folder{suffix}").mkdir()
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(DataError) as refused:
            image.load(path)
        assert str(refused.value).startswith(f"{path}: ")
        assert "\n" not in str(refused.value)


def as_webp(exif: bytes, picture: np.ndarray = NOISE) -> bytes:
    wide = b"VP8X" + struct.pack("<I", 10) + bytes([8, 0, 0, 0]) + (159).to_bytes(3, "little") + (95).to_bytes(3, "little")
    body = b"WEBP" + wide + coded(".webp", picture)[12:] + b"EXIF" + struct.pack("<I", len(exif)) + exif
    return b"RIFF" + struct.pack("<I", len(body)) + body


def box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + name + content


def as_avif(picture: np.ndarray, *properties: bytes) -> bytes:
    """Return an AVIF file whose picture has additional properties."""
    data = coded(".avif", picture, [cv2.IMWRITE_AVIF_QUALITY, 95])
    at = {name: data.index(name) - 4 for name in (b"meta", b"iprp", b"ipco", b"ipma", b"mdat")}
    length = {name: int.from_bytes(data[where : where + 4], "big") for name, where in at.items()}
    ipco, ipma = (data[at[name] + 8 : at[name] + length[name]] for name in (b"ipco", b"ipma"))
    count, where = 0, 0
    while where < len(ipco):
        count, where = count + 1, where + int.from_bytes(ipco[where : where + 4], "big")
    more = bytes(0x80 | count + 1 + i for i in range(len(properties)))
    ipma = ipma[:10] + bytes([ipma[10] + len(more)]) + ipma[11:] + more
    made = data[: at[b"ipco"]] + box(b"ipco", ipco + b"".join(properties)) + box(b"ipma", ipma)
    grown = len(made) - at[b"ipma"] - length[b"ipma"]
    made = bytearray(made + data[at[b"ipma"] + length[b"ipma"] :])
    for name in (b"meta", b"iprp"):
        made[at[name] : at[name] + 4] = struct.pack(">I", length[name] + grown)
    offset = struct.pack(">I", at[b"mdat"] + 8)
    return bytes(made).replace(offset, struct.pack(">I", at[b"mdat"] + 8 + grown), 1)


needs_avif = pytest.mark.skipif(not cv2.haveImageWriter("p.avif"), reason="this OpenCV was built without AVIF")


@needs_avif
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_an_avif_is_turned_by_its_rotation_property(turns):
    """By quarter turns counterclockwise."""
    wide = np.dstack([np.linspace(20, 220, 160, dtype=np.uint8)[None].repeat(96, 0)] * 3)
    wide[:20] = 250
    found = read(as_avif(wide, box(b"irot", bytes([turns]))))
    expected = np.rot90(wide, turns)
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).mean() < 6


@needs_avif
def test_an_avif_is_mirrored_by_its_mirror_property():
    """0 swaps top and bottom, 1 swaps left and right; the rotation is applied first."""
    wide = np.dstack([np.linspace(20, 220, 160, dtype=np.uint8)[None].repeat(96, 0)] * 3)
    wide[:20] = 250
    for axis, mirrored in ((0, wide[::-1]), (1, wide[:, ::-1])):
        assert np.abs(read(as_avif(wide, box(b"imir", bytes([axis])))).astype(int) - mirrored).mean() < 6
    both = read(as_avif(wide, box(b"irot", b"\1"), box(b"imir", b"\1")))
    assert np.abs(both.astype(int) - np.rot90(wide, 1)[:, ::-1]).mean() < 6
    assert np.abs(read(as_avif(wide)).astype(int) - wide).mean() < 6
