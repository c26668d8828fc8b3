# SPDX-License-Identifier: GPL-2.0-or-later
"""How many connections this machine allows: asked before a load test is started, not found out by its failure."""

from contextlib import suppress
from pathlib import Path

from ..wire import background

# Memory that a connection takes at most, in the server, in the client and in the operating system together.
LISTENER_BYTES = 64 * 1024
# Files that a process needs beside its connections.
SPARE_FILES = 100
# More are not asked for: where there is no limit, some programs try to close every file that there could be.
MOST_FILES = 1 << 20
# Taken where files are not limited by number, as on Windows; its event loop has troubles of its own before that.
WITHOUT_LIMIT = 8192
# Connections from one address: Linux gives out some 28,000 ports of each (``net.ipv4.ip_local_port_range``), and other
# programs need some too.
PORTS = 20_000
# Of fewer, two load tests of different size cannot be made, and no slope fitted.
FEWEST_LISTENERS = 200


def raise_file_limit() -> int:
    """Let this process, and those that it starts, open as many files as the kernel allows.

    Returns:
        How many that is: the soft limit that is in force afterwards, read back. What the hard one claims is not to be
        trusted: on macOS it is ``RLIM_INFINITY``, while the kernel gives ``kern.maxfilesperproc`` and no more.
    """
    try:
        import resource
    except ImportError:  # as on Windows
        return WITHOUT_LIMIT
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    # Where the soft limit is none either, the kernel has one all the same, and this finds it.
    while wanted > (0 if soft == resource.RLIM_INFINITY else soft):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            break
        except (ValueError, OSError):  # more than this kernel gives to anybody
            wanted //= 2
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return WITHOUT_LIMIT if soft == resource.RLIM_INFINITY else soft


def available_bytes() -> int:
    """Memory that is free to use: that of the machine, or of the container, as on Binder, if that has less."""
    import psutil

    free: int = psutil.virtual_memory().available
    # psutil knows nothing of control groups: version 2, then 1.
    for folder, limit, used in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        with suppress(OSError, ValueError):  # no such group, or no limit: then version 2 says "max"
            return min(free, int(Path(folder, limit).read_text()) - int(Path(folder, used).read_text()))
    return free


def most_listeners(wanted: int = 10_000) -> int:
    """So many connections at once, or as many of them as ports, files and memory allow.

    The limit of open files is raised for this process, since only so it shows what the kernel gives.

    Raises:
        RuntimeError: that would be fewer than ``FEWEST_LISTENERS``; it says what they lack.
    """
    background.need_system("A load test", in_memory=True)
    files, memory = raise_file_limit(), available_bytes() // 2 // LISTENER_BYTES
    possible = max(0, min(files - SPARE_FILES, memory, PORTS))
    if possible < FEWEST_LISTENERS:
        limit = f"{files} open files for a process (ulimit -Hn)" if files < memory else "its free memory"
        raise RuntimeError(f"a load test takes {FEWEST_LISTENERS} connections at least; here {limit} allows {possible}")
    return min(wanted, possible)
