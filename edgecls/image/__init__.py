"""All pixel operations, each implemented once: decode, convert, crop, shrink, fit, move and encode pictures."""

from edgecls.image.codec import encode_jpeg, encode_png
from edgecls.image.color import colored, from_rgb, gray, in_8_bits
from edgecls.image.fit import as_frame, crop, cut_out, fit, fit_region, overview, sharpest
from edgecls.image.likeness import correlation, near_copies, perceptual_hash
from edgecls.image.opencv import keep_opencv_to_one_thread, quiet_opencv
from edgecls.image.placing import enlarged, moved, scaled
from edgecls.image.planes import between, channels, enlarged_by, from_planes
from edgecls.image.private import BlackedOut, blacked_out
from edgecls.image.reading import SUFFIXES, Note, decode, decode_as_stored, few_bits, load, read_file
from edgecls.image.reduced import reduced
from edgecls.image.shrink import resized
from edgecls.image.time_shift import TimeShift, time_shift

__all__ = [
    "SUFFIXES",
    "BlackedOut",
    "Note",
    "TimeShift",
    "as_frame",
    "between",
    "blacked_out",
    "channels",
    "colored",
    "correlation",
    "crop",
    "cut_out",
    "decode",
    "decode_as_stored",
    "encode_jpeg",
    "encode_png",
    "enlarged",
    "enlarged_by",
    "few_bits",
    "fit",
    "fit_region",
    "from_planes",
    "from_rgb",
    "gray",
    "in_8_bits",
    "keep_opencv_to_one_thread",
    "load",
    "moved",
    "near_copies",
    "overview",
    "perceptual_hash",
    "quiet_opencv",
    "read_file",
    "reduced",
    "resized",
    "scaled",
    "sharpest",
    "time_shift",
]
