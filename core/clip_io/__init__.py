"""Video files and frame folders in and out, with exact times and colours (PyAV).

info = probe(Path("slow.mp4"))
with ClipReader(info.path, info) as frames, ClipWriter(out, info, times=times) as writer:
    ...
"""

from tsr.core.clip_io.colour import Colour
from tsr.core.clip_io.encoding import DEFAULT_ENCODERS, ENCODERS, Encoding, choose_encoding
from tsr.core.clip_io.info import ClipInfo, clip_info, probe
from tsr.core.clip_io.joining import join_pieces, piece_suffix
from tsr.core.clip_io.reader import ClipReader, picked, read_volume
from tsr.core.clip_io.sinks import stored_colour, stored_layout
from tsr.core.clip_io.times import Clock, FrameTimes, Stretch, decimated, retimed
from tsr.core.clip_io.writer import ClipWriter

__all__ = [
    "DEFAULT_ENCODERS",
    "ENCODERS",
    "ClipInfo",
    "ClipReader",
    "ClipWriter",
    "Clock",
    "Colour",
    "Encoding",
    "FrameTimes",
    "Stretch",
    "choose_encoding",
    "clip_info",
    "decimated",
    "join_pieces",
    "picked",
    "piece_suffix",
    "probe",
    "read_volume",
    "retimed",
    "stored_colour",
    "stored_layout",
]
