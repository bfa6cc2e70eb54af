"""The video encoder of an output: its options, and the tags that tell players what it holds."""

from fractions import Fraction

from av.video.stream import VideoStream

from tsr.core.clip_io.colour import FULL_RANGE, RGB_MATRIX
from tsr.core.clip_io.encoding import Encoding
from tsr.core.clip_io.formats import LAYOUTS
from tsr.core.clip_io.hdr import STATIC_ENCODERS, encoder_parameters
from tsr.core.clip_io.info import ClipInfo
from tsr.core.clip_io.sinks import PACKED, stored_colour
from tsr.core.cpu import cpu_flags

CUTREE_WIDTH = 256
"""x265 writes past its buffers when it weighs the blocks of very narrow frames (seen at 48 columns
under valgrind, not at 216), so that is switched off below this width."""

WIDTH_STEP = 128
"""x264's AVX-512 code for its macroblock tree reads past the row unless a frame is a multiple of
this many columns wide: the same frames then give other bytes every time (seen in all of 13 such
widths, in none of them with AVX2)."""

PARAMETERS = {"h264": "x264-params", "hevc": "x265-params", "av1": "svtav1-params"}
"""FFmpeg's option for what it does not know of an encoder."""


def encoder_options(encoding: Encoding, info: ClipInfo, *, constant_rate: bool) -> dict[str, str]:
    """Options for FFmpeg's encoder."""
    options = dict(encoding.options)
    parameters = {}
    if encoding.quality is not None:
        options["crf"] = str(encoding.quality)
    if encoding.encoder in STATIC_ENCODERS:
        parameters.update(encoder_parameters(info.hdr, encoding.encoder))
    # Reordered frames with uneven steps lose the last frame's duration in MP4, and AVI cannot tell
    # decoding order from presentation order at all.
    if encoding.suffix == ".avi" or not constant_rate:
        if encoding.encoder == "h264":
            options["bf"] = "0"
        if encoding.encoder == "hevc":
            parameters["bframes"] = "0"
    if encoding.encoder == "h264" and info.width % WIDTH_STEP and "avx512f" in cpu_flags():
        parameters["asm"] = "AVX2"
    if encoding.encoder == "hevc":
        parameters["log-level"] = "none"
        # With weights, x265's motion search reads parts of the weighted picture that it never
        # wrote: one encode in ten had other bytes (seen under valgrind, in none of 1000 without).
        parameters["weightp"] = "0"
        if info.width < CUTREE_WIDTH:
            parameters["cutree"] = "0"
    if parameters:
        listed = ":".join(f"{name}={value}" for name, value in parameters.items())
        options[PARAMETERS[encoding.encoder]] = listed
    return options


def configure(stream: VideoStream, encoding: Encoding, info: ClipInfo, time_base: Fraction) -> None:
    """Set a new stream's size, format and colour tags."""
    encoder = stream.codec_context
    encoder.time_base = time_base
    encoder.width, encoder.height = info.width, info.height
    name = encoding.pixel_format
    encoder.pix_fmt = PACKED.get(encoding.encoder, {}).get(name, name)
    encoder.thread_count = 0
    rgb = LAYOUTS[name].kind == "rgb"
    colour = stored_colour(info, encoding)
    encoder.colorspace = RGB_MATRIX if rgb else colour.matrix
    encoder.color_range = FULL_RANGE if rgb else colour.range
    encoder.color_primaries = colour.primaries
    encoder.color_trc = colour.transfer
    encoder.sample_aspect_ratio = info.sample_aspect_ratio


def describe(
    stream: VideoStream, encoding: Encoding, info: ClipInfo, time_base: Fraction, fps: Fraction
) -> None:
    """What the container says of a stream, whoever encodes it."""
    stream.time_base = time_base
    stream.codec_context.framerate = fps
    if encoding.encoder == "hevc" and encoding.suffix in (".mp4", ".mov"):
        stream.codec_context.codec_tag = "hvc1"  # the only one that Apple's players accept
    if info.display_matrix is not None:
        stream.set_display_matrix(info.display_matrix)
