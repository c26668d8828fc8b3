# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes as packets: reading captures, recording live exchanges, and a WebSocket layer for Scapy.

Scapy takes half a second to load, so its part is loaded when one of its names is first asked for.
"""

from __future__ import annotations
