# SPDX-License-Identifier: GPL-2.0-or-later
"""How hypothesis runs here: time is measured (``make bench``), not asserted, since machines are shared."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Assertions that tests share say as much as those in the tests.
pytest.register_assert_rewrite("reading")

LONGEST = ("test_browser.py", "test_widgets.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, so that no worker is left with one of them at the end."""
    items.sort(key=lambda item: item.path.name not in LONGEST)
