"""Frames on their way to a GPU, on a double that runs streams as late or as early as it may."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import clips
import numpy as np
import pytest
from driver_double import install
from host_device import HostDevice
from lazy_driver import CHOICES, LazyDriver, LazyPageLocked, LazyPool

from tsr.core.clip_io import Colour, choose_encoding, probe
from tsr.core.clip_io.pixels import Layout, to_rgb
from tsr.core.ladder import ScaleLadder
from tsr.runtime.cuda_backend import CudaBackend
from tsr.runtime.cuda_frames import StoredFrame, plane_shapes
from tsr.runtime.cuda_kernels import DeviceVolume
from tsr.runtime.device import CudaDevice
from tsr.runtime.plan import plan_segment
from tsr.runtime.streaming import fetched, groups
from tsr.runtime.upload_ring import SLOTS

ROUNDING = 1e-6
YUV420 = Layout("yuv", 8, halve_columns=True, halve_rows=True)
NUM_FRAMES, SEGMENT = 14, 3
MANY = 4 * SLOTS + 1
"""Frames: each slot is used again and again."""


def open_gpu(driver: LazyDriver, monkeypatch: pytest.MonkeyPatch) -> CudaDevice:
    install(monkeypatch, driver, LazyPool, LazyPageLocked)
    return CudaDevice(module=b"kernels")


@pytest.fixture(params=CHOICES, ids=lambda eager: "+".join(eager) or "none")
def driver(request: pytest.FixtureRequest, host_library: Path) -> LazyDriver:
    """Every choice of streams that hurry."""
    return LazyDriver(host_library, request.param)


@pytest.fixture
def gpu(driver: LazyDriver, monkeypatch: pytest.MonkeyPatch) -> CudaDevice:
    return open_gpu(driver, monkeypatch)


@pytest.fixture
def backend(gpu: CudaDevice) -> CudaBackend:
    return CudaBackend(gpu, SimpleNamespace(name="none"))  # type: ignore[arg-type]


def stored(n: int, size: tuple[int, int], layout: Layout = YUV420) -> StoredFrame:
    """A frame like no other."""
    generator = np.random.default_rng(n)
    shapes = plane_shapes(layout, *size)
    planes = [generator.integers(0, 2**layout.depth, shape, layout.dtype) for shape in shapes]
    return StoredFrame(planes, layout, Colour())


def check(backend: CudaBackend, loaded: DeviceVolume, frame: StoredFrame) -> None:
    expected = to_rgb(frame.planes, frame.layout, frame.colour)[:, None]
    np.testing.assert_allclose(backend.store(loaded), expected, rtol=0, atol=ROUNDING)


def check_all(backend: CudaBackend, frames: Sequence[StoredFrame]) -> None:
    """None of them waits for another to be fetched."""
    loaded = [backend.load_frame(frame, 1) for frame in frames]
    for volume, frame in zip(loaded, frames, strict=True):
        check(backend, volume, frame)


def test_every_frame_arrives_as_itself(backend: CudaBackend) -> None:
    """However late the kernel that reads it, the copy, or the wish to see it."""
    check_all(backend, [stored(n, (6, 10)) for n in range(MANY)])


def test_frames_from_programs_arrive_as_themselves(backend: CudaBackend) -> None:
    """Floats as `tsr` hands them over, padded."""
    frames = [np.random.default_rng(n).random((3, 6, 10), np.float32) for n in range(MANY)]
    loaded = [backend.load_frame(frame, 8) for frame in frames]
    for volume, frame in zip(loaded, frames, strict=True):
        np.testing.assert_array_equal(backend.store(volume)[:, 0, :6, :10], frame)


def test_sizes_may_change_from_frame_to_frame(backend: CudaBackend) -> None:
    """Growing, shrinking, from 8 to 16 bits: a slot too small is made anew when it is free."""
    sizes = [(4, 6), (8, 16), (4, 6), (9, 7), (16, 16), (2, 2)]
    layouts = [YUV420, replace(YUV420, depth=16), Layout("grey", 8)]
    check_all(
        backend,
        [stored(n, sizes[n // 2 % len(sizes)], layouts[n % len(layouts)]) for n in range(3 * MANY)],
    )


def test_no_copy_overtakes_work_that_uses_its_memory(gpu: CudaDevice, backend: CudaBackend) -> None:
    """What a pool gets back is free for work that queues behind, not for another stream."""
    volume = np.random.default_rng(0).random((3, 1, 8, 16), np.float32)
    frames = [stored(n, (24, 64), Layout("grey", 8)) for n in range(SLOTS)]  # as many bytes
    found = []
    for n, frame in enumerate(frames):
        given, made = backend.load(volume + n), backend.kernels.volume(*volume.shape)
        gpu.copy(made.address, given.address, volume.nbytes)
        del given
        found.append((made, backend.load_frame(frame, 1)))
    for n, (made, loaded) in enumerate(found):
        np.testing.assert_array_equal(backend.store(made), volume + n)
        check(backend, loaded, frames[n])


def test_users_of_one_device_do_not_get_in_each_others_way(
    gpu: CudaDevice, backend: CudaBackend
) -> None:
    """In turns, or one while the other has not started the work that reads its frame."""
    other = CudaBackend(gpu, SimpleNamespace(name="none"))  # type: ignore[arg-type]
    small, large = [[stored(n, size) for n in range(MANY)] for size in ((4, 6), (10, 8))]
    loaded = [(backend.load_frame(a, 1), other.load_frame(b, 1)) for a, b in zip(small, large)]  # noqa: B905
    for (first, second), a, b in zip(loaded, small, large, strict=True):
        check(backend, first, a)
        check(other, second, b)

    def nest(depth: int) -> None:
        if depth:
            part = np.full(64, depth, np.uint8)
            with gpu.staged([part]) as address:
                nest(depth - 1)
                gpu.copy(target.address + 64 * depth, address, part.nbytes)

    target = gpu.allocate(64 * (2 * SLOTS + 1))
    for _ in range(3):
        nest(2 * SLOTS)
    found = gpu.host_array((2 * SLOTS + 1, 64), np.uint8)
    gpu.download(target.address, found)
    assert [set(row) for row in found[1:].tolist()] == [{n} for n in range(1, 2 * SLOTS + 1)]


def test_its_memory_is_given_back(
    gpu: CudaDevice, driver: LazyDriver, backend: CudaBackend
) -> None:
    """By `release`, and to whoever finds none left; then it is made again."""
    frames = [stored(n, (32, 32)) for n in range(MANY)]
    check_all(backend, frames)
    gpu.release()
    tables = driver.used
    assert tables < 32 * 32
    check_all(backend, frames)
    assert driver.used > tables
    gpu.release()
    assert driver.used == tables
    check_all(backend, frames)
    driver.limit = tables + (1 << 20)
    whole = gpu.allocate(1 << 20)
    with pytest.raises(MemoryError, match="no 0 MiB left"):
        backend.load_frame(frames[0], 1)
    del whole  # to the pool, which has to give it up
    check_all(backend, frames)


def test_a_failure_costs_no_slot(gpu: CudaDevice, backend: CudaBackend) -> None:
    """Nor what the slot is used for next."""

    addresses = set()

    def fail() -> None:
        with gpu.staged([np.zeros(96, np.uint8)]) as address:
            addresses.add(address)
            raise ValueError("broken")

    for _ in range(3 * SLOTS):
        with pytest.raises(ValueError, match="broken"):
            fail()
    assert len(addresses) == SLOTS
    check_all(backend, [stored(n, (6, 10)) for n in range(MANY)])


class CopyNetwork:
    """In the place of the network: never waits, and its output is the start of its input."""

    name, any_shape = "copy", False

    def __init__(self, device: Any) -> None:
        self.device = device

    def __call__(self, window: DeviceVolume, made: DeviceVolume) -> None:
        self.device.copy(made.address, window.address, 4 * int(np.prod(made.shape)))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    picture = clips.rotating_spokes(NUM_FRAMES, 16, 24, turn=0.05)
    return clips.write_pngs(tmp_path_factory.mktemp("clip") / "frames", picture)


def run_ladder(device: Any, clip: Path, ladder: ScaleLadder) -> list[Any]:
    """A whole run but for decoder and encoder: planes in, planes out."""
    info = probe(clip, fps=Fraction(30))
    frames = (stored(n, (info.height, info.width)) for n in range(info.num_frames))
    backend = CudaBackend(device, CopyNetwork(device), (8, 16, 24))
    encoding = choose_encoding(Path("fast.mkv"), info, encoder="ffv1")
    return list(fetched(groups(frames, info, ladder, backend, SEGMENT), info, backend, encoding))


@pytest.mark.parametrize("factor", [2, 4])
def test_a_run_gives_the_same_frames_whatever_hurries(
    gpu: CudaDevice, host_library: Path, clip: Path, factor: int
) -> None:
    """Uploads, kernels and downloads together, against a device that does one thing at a time; on
    ladders that end with a climb and with a network pass."""
    ladder = ScaleLadder(Fraction(1, 2), factor)
    expected = run_ladder(HostDevice(host_library), clip, ladder)
    found = run_ladder(gpu, clip, ladder)
    assert len(found) == factor * NUM_FRAMES
    for made, planes in zip(found, expected, strict=True):
        for one, other in zip(made, planes, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_host_runs_ahead_of_the_kernels(
    host_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice as many frames as there are slots are on their way before it waits for the first of
    them to be read."""
    driver = LazyDriver(host_library)
    gpu = open_gpu(driver, monkeypatch)
    backend = CudaBackend(gpu, SimpleNamespace(name="none"))  # type: ignore[arg-type]
    check_all(backend, [stored(n, (6, 10)) for n in range(2 * SLOTS)])
    assert [len(kernels) for kernels in driver.under_way] == list(range(2 * SLOTS))


def test_frames_travel_while_kernels_run(
    host_library: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device so slow that it does only what is waited for, each frame behind the first
    segment's finds the kernels of a group in the queue, and one of each segment its network's."""
    driver, ladder = LazyDriver(host_library), ScaleLadder(Fraction(1, 2), 2)
    run_ladder(open_gpu(driver, monkeypatch), clip, ladder)
    assert len(driver.under_way) == NUM_FRAMES
    at_once = plan_segment(ladder, (0, SEGMENT), NUM_FRAMES).window[1]
    ahead = driver.under_way[at_once:]
    assert all({"climb", "store_planes"} <= set(kernels) for kernels in ahead)
    assert all("gather" in kernels for kernels in ahead[::SEGMENT])


def busy(backend: CudaBackend, climbs: int) -> Any:
    """Hand so many climbs at 720p to a GPU, a quarter of a millisecond each; returns their end."""
    low, known = backend.kernels.volume(3, 32, 360, 640), backend.kernels.volume(3, 4, 720, 1280)
    for _ in range(climbs):
        backend.climb(low, known)
    return backend.device.mark()


@pytest.mark.cuda
def test_on_a_gpu_every_frame_arrives_as_itself(cuda_device: CudaDevice) -> None:
    """Of three sizes, while kernels run."""
    backend = CudaBackend(cuda_device, SimpleNamespace(name="none"))  # type: ignore[arg-type]
    sizes = [(720, 1280), (1080, 1920), (360, 640)]
    frames = [stored(n, sizes[n // 16 if n < 48 else n % 3]) for n in range(72)]
    loaded = []
    for frame in frames:
        busy(backend, 2)
        loaded.append(backend.load_frame(frame, 1))
    for volume, frame in zip(loaded, frames, strict=True):
        check(backend, volume, frame)


@pytest.mark.cuda
def test_on_a_gpu_frames_travel_while_kernels_run(cuda_device: CudaDevice) -> None:
    """The copy is done before the work that was started before it."""
    backend = CudaBackend(cuda_device, SimpleNamespace(name="none"))  # type: ignore[arg-type]
    frames = [stored(n, (720, 1280)) for n in range(SLOTS + 1)]
    busy(backend, 1)  # memory is allocated here: that would wait
    check_all(backend, frames)
    end = busy(backend, 400)
    loaded = backend.load_frame(frames[0], 1)
    cuda_device._uploads._idle[-1].copied.synchronize()
    assert not end.query()
    check(backend, loaded, frames[0])
