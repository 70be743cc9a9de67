"""Draw pictures with the statistics of photographs, to calibrate the ranges of a network without anyone's pictures.

They are dead leaves (Lee, Mumford and Huang 2001): shapes of all sizes that hide one another, with the size distribution that
gives photographs their edges at all scales, each with its own colour, shading and texture, before a cloudy background.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAVES = 60
SMALLEST_LEAF, LARGEST_LEAF = 0.02, 0.4
"""The radius, as a fraction of the side."""


def drawn_pictures(count: int, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return pictures, (count, size, size, 3) uint8, red first."""
    return np.stack([_picture(size, rng) for _ in range(count)])


def _picture(size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one picture: leaves before a background, in its own light, contrast and sharpness."""
    rows, columns = np.mgrid[0:size, 0:size] / size
    picture = _filled(rows, columns, rng)
    for radius in np.sort(_radii(int(rng.integers(LEAVES // 4, LEAVES)), rng))[::-1]:
        inside = _shape(rows, columns, radius, rng)
        picture[inside] = _filled(rows, columns, rng)[inside]
    light, contrast, gray = rng.uniform(60, 190), rng.uniform(0.4, 1.4), rng.random() < 0.2
    picture = light + contrast * (picture - picture.mean())
    if gray:
        picture[:] = picture.mean(axis=2, keepdims=True)
    picture = _blurred(picture, int(rng.integers(0, 3)))
    picture += rng.normal(0, rng.uniform(0, 6), picture.shape)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def _radii(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw radii whose density falls with the cube of the radius, which makes the picture look alike at all scales."""
    low, high = SMALLEST_LEAF**-2, LARGEST_LEAF**-2
    found: NDArray[np.float64] = (low + rng.random(count) * (high - low)) ** -0.5
    return found


def _shape(
    rows: NDArray[np.float64], columns: NDArray[np.float64], radius: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Return where a turned ellipse, rectangle or rhombus lies."""
    angle, stretch = rng.uniform(0, np.pi), rng.uniform(0.3, 1)
    down, right = rows - rng.random(), columns - rng.random()
    along = np.abs(np.cos(angle) * down + np.sin(angle) * right) / radius
    across = np.abs(np.cos(angle) * right - np.sin(angle) * down) / (radius * stretch)
    power = rng.choice([1.0, 2.0, 8.0])
    inside: NDArray[np.bool_] = along**power + across**power < 1
    return inside


def _filled(rows: NDArray[np.float64], columns: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a whole picture of one material, (size, size, 3): a colour, a shading, and clouds, stripes or nothing."""
    brightness = rng.normal(120, 60)
    colour = brightness + rng.normal(0, 25, 3)
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * (rows - 0.5) + np.sin(angle) * (columns - 0.5)
    levels = rng.normal(0, 40) * slope
    kind = rng.random()
    if kind < 0.4:
        levels = levels + rng.uniform(5, 45) * _clouds(len(rows), rng.uniform(0.6, 1.6), rng)
    elif kind < 0.6:
        levels = levels + rng.uniform(5, 50) * np.sin(2 * np.pi * rng.uniform(4, 60) * slope)
    found: NDArray[np.float64] = colour + levels[..., None] * (1 + rng.normal(0, 0.1, 3))
    return found


def _clouds(size: int, slope: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return noise of mean 0 and standard deviation 1 whose amplitude falls with frequency to the power of `slope`."""
    frequencies = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    frequencies[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(size, size))) * frequencies**-slope
    found = np.fft.irfft2(spectrum, (size, size))
    scaled: NDArray[np.float64] = found / found.std()
    return scaled


def _blurred(picture: NDArray[np.float64], times: int) -> NDArray[np.float64]:
    """Average neighbouring pixels, (1, 2, 1) / 4 in both directions."""
    for _ in range(times):
        for axis in (0, 1):
            padded = np.concatenate([picture.take([0], axis), picture, picture.take([-1], axis)], axis)
            end = picture.shape[axis]
            first, middle, last = (padded.take(range(i, end + i), axis) for i in range(3))
            picture = (first + 2 * middle + last) / 4
    return picture
