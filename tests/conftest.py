# SPDX-License-Identifier: GPL-2.0-or-later
"""What all tests share: how hypothesis runs here, where a test may write, and fixtures of several files."""

import os
import shutil
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

# Time is measured (``make bench``), not asserted, since machines are shared.
settings.register_profile("untimed", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Assertions that tests share say as much as those in the tests.
pytest.register_assert_rewrite("agreement", "reading")

LONGEST = ("test_browser.py", "test_widgets.py")

# Kernels and Jupyter write into the home; where that is not allowed, they get another.
if not os.access(Path.home(), os.W_OK):
    os.environ["HOME"] = tempfile.mkdtemp(prefix="home")
# A copy of a read-only clone can be written: shutil.copytree would copy the permissions with this.
pytest.MonkeyPatch().setattr(shutil, "copystat", lambda *_, **__: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A TCP server that a test plays by hand."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        listening.settimeout(10)
        yield listening


@pytest.fixture
def nothing_left_open() -> Iterator[None]:
    """No file and no thread of ours but those that were there before, perhaps of other tests."""

    def threads() -> set[threading.Thread]:
        return {one for one in threading.enumerate() if one.name.startswith("wsedu")}

    process = psutil.Process()
    files = process.num_handles if sys.platform == "win32" else process.num_fds
    files_before, threads_before = files(), threads()
    yield
    assert threads() <= threads_before
    assert files() <= files_before  # fewer, if what an older test forgot is collected meanwhile


@pytest.fixture(scope="session")
def packets_allowed() -> None:
    """Skip with one line where the kernel does not show its packets to this process."""
    from wsedu.wire.recording import record

    try:
        with record(9, kernel=True):
            pass
    except PermissionError as error:
        pytest.skip(str(error).partition(". ")[0])
