# SPDX-License-Identifier: GPL-2.0-or-later
"""Exercises and their checks: ``check("unmask", unmask)`` tells right from wrong on fresh random input."""

from .check import check
from .progress import progress

__all__ = ["check", "progress"]
