# SPDX-License-Identifier: GPL-2.0-or-later
"""What all tests share: how hypothesis runs here, what a test may cost, and where it may write."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Time is measured (``make bench``), not asserted, since machines are shared.
settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Assertions that tests share say as much as those in the tests.
pytest.register_assert_rewrite("reading")

LONGEST = ("test_browser.py", "test_widgets.py")
# CPU seconds of a test and the processes that it waited for. Alone none takes half of it; where others compute on the
# same core, the same work is counted as more.
MOST_CPU = 40

# Kernels and Jupyter write into the home; where that is not allowed, they get another.
if not os.access(Path.home(), os.W_OK):
    os.environ["HOME"] = tempfile.mkdtemp(prefix="home")
# A copy of a read-only clone can be written: shutil.copytree would copy the permissions with this.
pytest.MonkeyPatch().setattr(shutil, "copystat", lambda *_, **__: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that has become too expensive for ``make test`` fails, and says so."""
    before = sum(os.times()[:4])
    result = yield
    used = sum(os.times()[:4]) - before
    if used > MOST_CPU and not item.get_closest_marker("slow"):
        pytest.fail(f"{used:.0f} seconds of CPU: mark it slow, or let it do less")
    return result
