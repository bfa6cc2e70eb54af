"""What RESULTS.md says of GPUs."""

from typing import Any

from benchmarks.markdown import table

Report = dict[str, Any]

FILE_STAGES = ("decode", "convert", "network", "back-projection", "encode")


def gpu(report: Report) -> str:
    """Kernels against the copy, network passes, the cascade per output frame."""
    ceilings = report.get("torch", {})
    kernels = report["kernels"]
    how = (
        f"Times are of {kernels['launches']} launches in a row, over {kernels['rotated_mib']} MiB "
        "of data in turn: neither launch nor cache shows."
        if "launches" in kernels
        else "The times span launch and allocation too, which matter below 0.1 ms, and the data of "
        "gather and place fits in the cache: read these as bounds, not as device bandwidth."
    )
    rows = [
        [name, f"{v['ms']:.3f}", str(v["gb_s"]), f"{100 * v['of_copy']:.0f} %"]
        for name, v in kernels.items()
        if isinstance(v, dict) and "ms" in v
    ]
    parts = [
        f"Device copy: {kernels['copy_gb_s']} GB/s, read and written. A kernel's bytes are those "
        f"that must move: inputs read once, outputs written once. {how}",
        table(["kernel", "ms", "GB/s", "of the copy"], rows),
        "Network pass (by ONNX Runtime where the row does not say), TFLOP/s without the halo's "
        f"work; torch's matrix products: {_products(ceilings)}. In brackets ms, and the share of "
        "the product of the same precision.",
        _networks(report["network"] | _in_torch(ceilings), ceilings),
        "The ladder, ×8, at 1280×720 unless the row says otherwise, one run after a warm-up; the "
        "input's upload is included, the output stays on the device:",
        table(
            [
                "model, ladder",
                "ms per output frame",
                "network",
                "back-projection",
                "its share",
                "memory, MiB",
            ],
            [
                [
                    name,
                    f"{v['ms_per_frame']:.2f}",
                    f"{v['ms_by_stage']['network']:.2f}",
                    f"{v['ms_by_stage']['back-projection']:.3f}",
                    f"{100 * v['backprojection_share']:.1f} %",
                    str(v.get("memory_mib", "–")),
                ]
                for name, v in report["cascade"].items()
            ],
        ),
        *_files(report.get("files", {})),
        *(f"Not measured: {line}." for line in report.get("skipped", [])),
    ]
    return "\n\n".join(parts)


def _products(ceilings: Report) -> str:
    found = {
        key.removeprefix("matmul_").removesuffix("_tflop_s").upper(): value
        for key, value in ceilings.items()
        if key.startswith("matmul_")
    }
    return ", ".join(f"{name} {value} TFLOP/s" for name, value in found.items()) or "not measured"


def _in_torch(ceilings: Report) -> Report:
    """The networks that torch ran, as `_networks` takes them."""
    found = {}
    for key, value in ceilings.items():
        if key.startswith("network_"):
            _, precision, channels = key.split("_")
            if "tiles" not in value:  # of before there were several
                value = {"tiles": {"x".join(map(str, value["tile"])): value}}
            name = f"{precision}-{channels} · torch, channels last"
            found[name] = value | {"precision": precision}
    return found


def _files(files: Report) -> list[str]:
    if not files:
        return []
    rows = []
    for name, v in files.items():
        stages = [v["stages"].get(stage) for stage in FILE_STAGES]
        spent = sum(filter(None, stages))
        shown = ["–" if seconds is None else str(seconds) for seconds in stages]
        rows.append([name, str(v["frames_per_second"]), *shown, f"{spent:.2f}", str(v["seconds"])])
    text = (
        "From file to file, `tsr-run` at 1280×720, ×8 from 1/8, loading of the model included. A "
        "sum above the whole is what stages did at once; convert has what the work waited for "
        "uploads in it:"
    )
    stages_s = [f"{stage}, s" for stage in (*FILE_STAGES, "their sum", "whole")]
    return [text, table(["model", "output frames/s", *stages_s], rows)]


def _networks(networks: Report, ceilings: Report) -> str:
    tiles = list(dict.fromkeys(tile for v in networks.values() for tile in v["tiles"]))
    engines = [
        f"{name}: {key.removesuffix('_seconds')} in {v[key]} s"
        for name, v in networks.items()
        for key in v
        if key.endswith("_seconds")
    ]
    rows = [
        [
            name,
            f"{v['error']:.0e}" if "error" in v else "–",
            *(
                _speed(v["tiles"][tile], ceilings.get(f"matmul_{v.get('precision')}_tflop_s"))
                if tile in v["tiles"]
                else "–"
                for tile in tiles
            ),
        ]
        for name, v in networks.items()
    ]
    found = table(["model", "differs from CPU by", *tiles], rows)
    return found + (f"\n\nEngines: {'; '.join(engines)}." if engines else "")


def _speed(found: Report, ceiling: float | None) -> str:
    share = f", {100 * found['tflop_s'] / ceiling:.0f} %" if ceiling else ""
    return f"{found['tflop_s']} ({found['ms']} ms{share})"
