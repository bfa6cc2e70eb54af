"""A container's quota counts, not the machine behind it."""

import os
from pathlib import Path

import pytest

from tsr.core.cores import usable_cores

HERE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@pytest.mark.parametrize(
    ("text", "cores"),
    [("100000 100000\n", 1), ("50000 100000\n", 1), ("max 100000\n", HERE), ("99999999 1\n", HERE)],
)
def test_a_quota_of_cgroup_v2(text: str, cores: int, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert usable_cores(tmp_path) == cores


@pytest.mark.parametrize(
    ("quota", "cores"), [("100000", 1), ("150000", min(2, HERE or 1)), ("-1", HERE)]
)
def test_a_quota_of_cgroup_v1(quota: str, cores: int, tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert usable_cores(tmp_path) == cores


def test_without_limits_all_cores_are_used(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == HERE
