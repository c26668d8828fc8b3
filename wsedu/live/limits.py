# SPDX-License-Identifier: GPL-2.0-or-later
"""How many connections this machine allows: asked before a crowd is started, not found out by its failure."""

from __future__ import annotations

from pathlib import Path

LISTENER_BYTES = 64 * 1024
"""Memory that a connection takes at most, in the server, in the crowd and in the operating system together."""
SPARE_FILES = 100
"""Files that a process needs beside its connections."""
FEWEST_LISTENERS = 200
"""A crowd: two of different size can be made of it, so that a slope can be fitted."""


def raise_file_limit() -> int:
    """Raise this process's soft limit of open files to the hard one, and give it."""
    try:
        import resource
    except ImportError:
        return 8192  # Windows has no such limit on sockets; its event loop has troubles of its own
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = hard if hard != resource.RLIM_INFINITY else max(soft, 1 << 20)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (ValueError, OSError):
        return soft
    return wanted


def file_limit() -> int:
    """How many files a process could open after ``raise_file_limit``; changes nothing."""
    try:
        import resource
    except ImportError:
        return 8192
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return hard if hard != resource.RLIM_INFINITY else max(soft, 1 << 20)


def available_bytes() -> int:
    """Memory that is free to use: that of the machine, or of the container if that has less; 1 GiB if unknown."""
    free = [_meminfo(), _cgroup()]
    return min((size for size in free if size is not None), default=1 << 30)


def _meminfo() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _cgroup() -> int | None:
    """Of a container, as on Binder (cgroup version 2, then 1)."""
    for folder, limit, used in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            return int(Path(folder, limit).read_text()) - int(Path(folder, used).read_text())
        except (OSError, ValueError):
            continue
    return None


def most_listeners(wanted: int = 10_000) -> int:
    """So many connections at once, or as many of them as files and memory allow.

    Raises:
        RuntimeError: that would be fewer than ``FEWEST_LISTENERS``, which is no crowd; it says what they lack.
    """
    files, memory = file_limit() - SPARE_FILES, available_bytes() // 2 // LISTENER_BYTES
    possible = max(0, min(files, memory))
    if possible < FEWEST_LISTENERS:
        lacking = (
            f"{file_limit()} open files for a process (ulimit -Hn)" if files < memory else "its free memory"
        )
        raise RuntimeError(
            f"a crowd is {FEWEST_LISTENERS} connections at least; here {lacking} allows {possible}"
        )
    return min(wanted, possible)
