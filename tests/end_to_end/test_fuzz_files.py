"""Damaged and hostile files: one line each, within bounds of memory and time, by a living process.

Every file is opened in a process of its own with 4 GiB of address space; a crash of a library, a
minute without an answer, and anything but a `TsrError` of one line are failures.
"""

import json
import os
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import clips
import numpy as np
import pytest
from fuzzing import MUTATIONS, Worker, mutated
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FEW = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = settings(FEW, max_examples=int(os.environ.get("TSR_FUZZ", "200")))

Shelf = dict[str, bytes]
Mutations = list[tuple[str, float, int]]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Good files of every container, by suffix."""
    folder = tmp_path_factory.mktemp("good")
    picture = clips.rotating_spokes(8, 48, 64)
    tone = clips.Tone(0.2)
    fast = {"cpu-used": "8", "deadline": "realtime"}
    made = [
        clips.write_video(folder / "a.mp4", picture, tone=tone, rotation=90),
        clips.write_video(folder / "a.mkv", picture, tone=tone),
        clips.write_video(folder / "a.avi", picture, codec="mpeg4"),
        clips.write_video(folder / "a.ts", picture, codec="mpeg2video"),
        clips.write_video(folder / "a.webm", picture, codec="libvpx-vp9", options=fast),
        clips.write_video(folder / "a.y4m", picture, codec="rawvideo"),
        clips.write_pngs(folder / "png", picture[:, :1]) / "frame_0.png",
    ]
    return {path.suffix: path.read_bytes() for path in made}


def survives(worker: Worker, kind: str, path: Path) -> str:
    """Open a file; returns what was said."""
    answer = worker.open(kind, path)
    assert answer.startswith(("fine", "refused: ")), answer
    return answer


def open_mutated(
    worker: Worker, shelf: Shelf, folder: Path, suffix: str, mutations: Mutations
) -> None:
    path = folder / f"mutated{suffix}"
    path.write_bytes(mutated(shelf[suffix], shelf[".mp4"], mutations))
    survives(worker, "clip", path)


SUFFIXES = st.sampled_from([".mp4", ".mkv", ".avi", ".ts", ".webm", ".y4m", ".png"])


@FEW
@given(suffix=SUFFIXES, mutations=MUTATIONS)
def test_mutated_clips(
    worker: Worker,
    shelf: Shelf,
    tmp_path: Path,
    suffix: str,
    mutations: Mutations,
) -> None:
    """Truncated, overwritten, spliced, repeated: 20 of them."""
    open_mutated(worker, shelf, tmp_path, suffix, mutations)


@pytest.mark.slow
@MANY
@given(suffix=SUFFIXES, mutations=MUTATIONS)
def test_many_mutated_clips(
    worker: Worker,
    shelf: Shelf,
    tmp_path: Path,
    suffix: str,
    mutations: Mutations,
) -> None:
    """The same, 200 times, or as often as TSR_FUZZ says."""
    open_mutated(worker, shelf, tmp_path, suffix, mutations)


# Headers that lie


def y4m(header: str, frames: bytes = b"FRAME\n" + bytes(96)) -> bytes:
    return f"YUV4MPEG2 {header}\n".encode() + frames


def png(width: int, height: int) -> bytes:
    import zlib

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


LIES = {
    "pixels.y4m": y4m("W65535 H65535 F25:1 C420jpeg"),
    "eight_k.y4m": y4m("W7680 H4320 F25:1 C420jpeg"),
    "zero_rate.y4m": y4m("W8 H8 F0:0 C420jpeg", 2 * (b"FRAME\n" + bytes(96))),
    "huge_rate.y4m": y4m("W8 H8 F2147483647:1 C420jpeg", 2 * (b"FRAME\n" + bytes(96))),
    "negative.y4m": y4m("W-8 H8 F25:1 C420jpeg"),
    "zero.y4m": y4m("W0 H0 F25:1"),
    "endless_header.y4m": b"YUV4MPEG2 " + b"X" * 1_000_000,
    "pixels.png": png(65535, 65535),
    "zero.png": png(0, 0),
}


@pytest.mark.parametrize("name", LIES)
def test_headers_that_lie(worker: Worker, tmp_path: Path, name: str) -> None:
    """65535 × 65535 and 8K in a hundred bytes, no rate, no size, no end."""
    path = tmp_path / name
    path.write_bytes(LIES[name])
    answer = survives(worker, "clip", path)
    # A rate of zero is 25 to FFmpeg, and one of two thousand million is absurd, but a rate.
    assert answer.startswith("refused: ") or "rate" in name


def patched(data: bytes, box: bytes, offset: int, value: bytes) -> bytes:
    """`data` with bytes behind the name of an MP4 box replaced."""
    at = data.index(box) + len(box) + offset
    return data[:at] + value + data[at + len(value) :]


@pytest.mark.parametrize(
    ("box", "offset", "value"),
    [
        (b"stsz", 8, struct.pack(">I", 10**9)),  # a thousand million frames
        (b"stts", 4, struct.pack(">I", 10**9)),
        (b"stts", 8, struct.pack(">II", 10**9, 1)),
        (b"mdhd", 12, struct.pack(">I", 0)),  # no time base
        (b"mdhd", 12, struct.pack(">I", 2**32 - 1)),
        (b"mvhd", 12, struct.pack(">I", 0)),
        (b"elst", 12, struct.pack(">i", -(2**31))),  # a negative start
        (b"tkhd", 76, struct.pack(">II", 65535 << 16, 65535 << 16)),
        (b"tkhd", 40, bytes(36)),  # a display matrix of zeros
        (b"avc1", 24, struct.pack(">HH", 65535, 65535)),
        (b"udta", -8, struct.pack(">I", 2**31 - 1)),
    ],
)
def test_mp4_boxes_that_lie(
    worker: Worker, shelf: Shelf, tmp_path: Path, box: bytes, offset: int, value: bytes
) -> None:
    """Counts, clocks, starts and sizes that no file has."""
    path = tmp_path / "lie.mp4"
    path.write_bytes(patched(shelf[".mp4"], box, offset, value))
    survives(worker, "clip", path)


def test_a_frame_size_that_changes_midway(worker: Worker, tmp_path: Path) -> None:
    """Two transport streams of different sizes, one after the other."""
    sizes = [(48, 64), (64, 96)]
    parts = [
        clips.write_video(tmp_path / f"{h}.ts", clips.gradient(4, h, w), codec="mpeg2video")
        for h, w in sizes
    ]
    path = tmp_path / "both.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert "both.ts" in survives(worker, "clip", path)


def test_metadata_without_measure(worker: Worker, tmp_path: Path) -> None:
    """A title of a megabyte, three thousand keys, a thousand chapters: kept or cut, never fatal."""
    path = tmp_path / "told.mkv"
    with av.open(str(path), "w") as container:
        container.metadata["title"] = "t" * 1_000_000
        container.metadata.update({f"key{n}": "value" * 10 for n in range(3000)})
        base = Fraction(1, 1000)
        container.set_chapters(
            [{"id": n, "start": n, "end": n + 1, "time_base": base, "metadata": {"title": "c" * 99}}
             for n in range(1000)]
        )  # fmt: skip
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for n in range(4):
            frame = clips.planar_frame(
                [np.full((size, size), 90, np.uint8) for size in (32, 16, 16)], "yuv420p"
            )
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert survives(worker, "clip", path) == "fine"


# Models


@FEW
@given(mutations=MUTATIONS, suffix=st.sampled_from([".onnx", ".safetensors"]))
def test_mutated_models(
    worker: Worker, tiny_onnx: Path, tiny_model: Path, tmp_path: Path, suffix: str,
    mutations: Mutations,
) -> None:  # fmt: skip
    """Weights and graphs, overwritten and cut: 20 of them."""
    data = {".onnx": tiny_onnx, ".safetensors": tiny_model}
    path = tmp_path / f"mutated{suffix}"
    path.write_bytes(mutated(data[suffix].read_bytes(), tiny_onnx.read_bytes(), mutations))
    survives(worker, "model", path)


def safetensors(header: bytes, size: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if size is None else size) + header


def with_card(card: str) -> bytes:
    return safetensors(json.dumps({"__metadata__": {"tsr": card}}).encode())


CARD = '{{"schema": 1, "ladder": {{"start": "{0}", "factor": 8}}, "channels": {1}, "video": {{}}}}'
HOSTILE = {
    "size.safetensors": safetensors(b"{}", 2**63),
    "tensor.safetensors": safetensors(
        b'{"w": {"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4000000000000]}}'
    ),
    "brackets.safetensors": safetensors(b"[" * 1_000_000),
    "deep_card.safetensors": with_card("[" * 1_000_000),
    "deeper_card.safetensors": with_card('{"a":' * 50_000),
    "long_card.safetensors": with_card("9" * 3_000_000),
    "power.safetensors": with_card(CARD.format("1e999999999", 8)),
    "wide.safetensors": with_card(CARD.format("1/8", 10**9)),
    "half.safetensors": with_card(CARD.format("1/8", 2.5)),
    "size.plan": b"ftrt" + bytes(12) + struct.pack("<Q", 2**63) + bytes(100),
    "ptrt.plan": b"ptrt" + bytes(500),
    "empty.plan": b"",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_models(worker: Worker, tmp_path: Path, name: str) -> None:
    """Sizes beyond all memory, a million brackets, numbers that take a lifetime to compute."""
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    answer = survives(worker, "model", path)
    assert answer.startswith("refused: ")
    assert len(answer) < 600
