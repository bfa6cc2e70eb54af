"""Single images: one frame to the bytes of a file, and back."""

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from av import CodecContext, Packet, VideoFrame
from av.video.codeccontext import VideoCodecContext

from tsr.core.clip_io.opening import AV_ERRORS, reason, silence
from tsr.core.errors import ClipError


def encode_image(image: VideoFrame, codec: str, options: Mapping[str, str] | None = None) -> bytes:
    """One image as the bytes of its file, in the pixel format that it has.

    Args:
        codec: `png` or `mjpeg`. options: the encoder's own.
    """
    encoder = CodecContext.create(codec, "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height = image.width, image.height
    encoder.pix_fmt = image.format.name
    encoder.time_base = Fraction(1, 25)  # an encoder of video wants one
    encoder.options = dict(options or {})
    packets = [*encoder.encode(image), *encoder.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def decode_image(file: Path) -> VideoFrame:
    """Decode one PNG file.

    Raises:
        ClipError: not a PNG, or damaged.
    """
    silence()
    decoder = CodecContext.create("png", "r")
    assert isinstance(decoder, VideoCodecContext)
    try:
        frames = [*decoder.decode(Packet(file.read_bytes())), *decoder.decode(None)]
    except AV_ERRORS as error:
        raise ClipError(
            f"image {file} cannot be read ({reason(error)}); replace or remove it"
        ) from error
    if len(frames) != 1 or frames[0].is_corrupt:
        raise ClipError(f"image {file} is not a whole PNG image; replace or remove it")
    return frames[0]
