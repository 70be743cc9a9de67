"""Networks with ImageNet weights: their layers as data, and their weights from installed packages, read without PyTorch."""

from edgecls.pretrained.lite import LITE, Block, Lite
from edgecls.pretrained.packages import PACKAGES, weights_of, weights_sha256
from edgecls.pretrained.torch_file import read_tensors

__all__ = ["LITE", "PACKAGES", "Block", "Lite", "read_tensors", "weights_of", "weights_sha256"]
