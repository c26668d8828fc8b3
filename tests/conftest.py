# SPDX-License-Identifier: GPL-2.0-or-later
"""How hypothesis runs here: time is measured (``make bench``), not asserted, since machines are shared."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Assertions that tests share say as much as those in the tests.
pytest.register_assert_rewrite("reading")
