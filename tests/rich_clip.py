"""A clip with all that Matroska can hold beside the picture, written through PyAV alone, and what
becomes of it."""

from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np

from tsr.core.clip_io import ClipWriter, probe, read_volume, retimed

MILLISECOND = Fraction(1, 1000)
CAPTIONS = [(200, 500, "Hello <i>world</i>"), (900, 600, "two\nlines")]
"""Start and duration in ms, and text as SubRip writes it."""
FONT = bytes(range(256)) * 8


def jpeg() -> bytes:
    """A cover picture."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width = encoder.height = 16
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
    planes = [np.full((side, side), 90, np.uint8) for side in (16, 8, 8)]
    frame = clips.planar_frame(planes, "yuvj420p")
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def write_rich(path: Path, *, side: int = 32) -> Path:
    """Two seconds of film in two languages, with all that Matroska can hold beside it."""
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": "A film", "my_own_key": "kept in Matroska"})
        base = MILLISECOND
        container.set_chapters(
            [
                {"id": n, "start": n * 1000, "end": n * 1000 + 1000, "time_base": base,
                 "metadata": {"title": f"part {n}"}}
                for n in range(2)
            ]
        )  # fmt: skip
        picture = container.add_stream("libx264", rate=10, options={"qp": "0"})
        picture.width = picture.height = side
        picture.pix_fmt = "yuv420p"
        picture.metadata["language"] = "jpn"
        tones = [clips.Tone(2.0, hertz=hertz) for hertz in (440, 880)]
        sounds = [tone.add_to(container) for tone in tones]
        for stream, language in zip(sounds, ("eng", "deu"), strict=True):
            stream.metadata["language"] = language
        sounds[1].metadata["title"] = "Kommentar"
        sounds[1].disposition = av.stream.Disposition.comment
        text = container.add_mux_stream("subrip", time_base=MILLISECOND)
        text.metadata["language"] = "fra"
        text.disposition = av.stream.Disposition.forced
        bitmap = container.add_mux_stream("hdmv_pgs_subtitle", time_base=MILLISECOND)
        container.add_attachment("font.ttf", "font/ttf", FONT)
        container.add_attachment("cover.jpg", "image/jpeg", jpeg())
        container.start_encoding()
        for n in range(20):
            planes = clips.yuv_planes(clips.numbered(20, side, side)[:, n], "yuv420p", matrix=6)
            frame = clips.planar_frame(planes, "yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, 10)
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
        for start, duration, words in CAPTIONS:
            for stream, content in ((text, words.encode()), (bitmap, b"\x80\x00\x00")):
                packet = av.Packet(content)
                packet.pts = packet.dts = start
                packet.duration, packet.time_base, packet.stream = duration, MILLISECOND, stream
                container.mux(packet)
        for tone, stream in zip(tones, sounds, strict=True):
            tone.write_to(container, stream)
    return path


def render_twice(source: Path, path: Path, *, slow_motion: bool = False) -> list[str]:
    """Twice the frames of `source`; returns the writer's notes."""
    volume, info = read_volume(source)
    times = retimed(info, 2, slow_motion=slow_motion)
    with ClipWriter(path, info, times=times, streams=True) as writer:
        writer.write_volume(np.repeat(volume, 2, axis=1))
    assert probe(path).times == times
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    return writer.notes
