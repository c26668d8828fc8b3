# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes as packets: reading captures, recording live exchanges, and a WebSocket layer and session for Scapy.

Scapy takes half a second to load, so its part is loaded when one of its names is first asked for: ``WebSocket`` and
``WebSocketSession``. Until then nothing of Scapy's is touched.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .layer import WebSocket as WebSocket
    from .session import WebSocketSession as WebSocketSession

_WHERE = {"WebSocket": ".layer", "WebSocketSession": ".session"}

__all__ = ["WebSocket", "WebSocketSession"]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'wsedu.wire' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_WHERE[name], __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
