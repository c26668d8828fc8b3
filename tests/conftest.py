# SPDX-License-Identifier: GPL-2.0-or-later
"""How hypothesis runs here: time is measured (``make bench``), not asserted, since machines are shared."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("untimed", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
