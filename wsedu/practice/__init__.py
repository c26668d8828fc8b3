# SPDX-License-Identifier: GPL-2.0-or-later
"""Exercises and their checks: ``check("unmask", unmask)`` tells right from wrong, on boundaries and on fresh input."""

from . import n00, n01, n02, n03, n04, n05, n06, n07, n08, n09, n10, n11, n12, n13, n14, n15  # noqa: F401 (they register)
from .check import check
from .progress import progress

__all__ = ["check", "progress"]
