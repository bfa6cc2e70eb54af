"""How many cores this process may use: fewer than the machine has, inside most containers."""

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux shows a container's limits."""


def usable_cores(cgroup: Path = CGROUP) -> int:
    """Cores that this process may run on and is given time on, at least 1.

    More threads than that wait for each other: a container with a quota of two cores on a machine
    of 64 would otherwise start 64 of them.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _quota(cgroup)
    return max(1, min(cores or 1, math.ceil(quota) if quota else cores or 1))


def _quota(cgroup: Path) -> float | None:
    """Cores' worth of time that the container is given (cgroup v2, then v1); None if unlimited."""
    try:
        limit, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (cgroup / "cpu" / "cpu.cfs_quota_us").read_text().strip()
            period = (cgroup / "cpu" / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    try:
        cores = int(limit) / int(period)
    except (ValueError, ZeroDivisionError):
        return None  # `max`: no limit
    return cores if cores > 0 else None
