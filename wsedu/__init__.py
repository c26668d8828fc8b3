# SPDX-License-Identifier: GPL-2.0-or-later
"""See what a WebSocket is: the bytes of HTTP and WebSocket, recorded, taken apart and shown.

This is the front door. Its names are loaded when they are first used, so that ``import wsedu`` costs next to nothing
and brings neither Scapy nor ipywidgets with it.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .protocol import handshake as handshake
    from .protocol.errors import NeedMoreData as NeedMoreData, ProtocolError as ProtocolError
    from .protocol.frames import Frame as Frame
    from .protocol.handshake import accept_key as accept_key
    from .protocol.http1 import Request as Request, Response as Response
    from .protocol.messages import MessageAssembler as MessageAssembler
    from .protocol.opcodes import Opcode as Opcode
    from .protocol.status import StatusCode as StatusCode
    from .show.bars import bars as bars
    from .show.bytemap import byte_map as byte_map
    from .show.compare import compare as compare
    from .show.explorer import touch as touch
    from .show.plot import plot as plot
    from .show.sequence import ladder as ladder
    from .show.timeline import timeline as timeline
    from .wire.capture import messages as messages, read as read
    from .wire.recording import record as record

__version__ = "0.1.0"

# module -> the names that it has; a name that is a module itself is its own
_NAMES = {
    ".protocol.errors": ("NeedMoreData", "ProtocolError"),
    ".protocol.frames": ("Frame",),
    ".protocol.handshake": ("accept_key", "handshake"),
    ".protocol.http1": ("Request", "Response"),
    ".protocol.messages": ("MessageAssembler",),
    ".protocol.opcodes": ("Opcode",),
    ".protocol.status": ("StatusCode",),
    ".show.bars": ("bars",),
    ".show.bytemap": ("byte_map",),
    ".show.compare": ("compare",),
    ".show.explorer": ("touch",),
    ".show.plot": ("plot",),
    ".show.sequence": ("ladder",),
    ".show.timeline": ("timeline",),
    ".wire.capture": ("messages", "read"),
    ".wire.recording": ("record",),
}
_WHERE = {name: module for module, names in _NAMES.items() for name in names}

__all__ = sorted(_WHERE)  # noqa: PLE0605


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'wsedu' has no attribute {name!r}")
    module = import_module(_WHERE[name], __name__)
    # Kept, so that the next look-up does not come here.
    value = globals()[name] = getattr(module, name, module)
    return value


def __dir__() -> list[str]:
    return sorted({*_WHERE, *(name for name in globals() if name.startswith("__"))})


# Before anybody has taken the names of what is replaced; not in the processes of a load test.
_IN_BROWSER = sys.platform == "emscripten"
if _IN_BROWSER:  # where JupyterLite has put an empty Tornado in the way, so that ipykernel can be imported
    for name in [name for name in sys.modules if name.partition(".")[0] == "tornado"]:
        del sys.modules[name]
_NETWORK = os.environ.get("WSEDU_NETWORK") or "sockets"
if _NETWORK not in ("memory", "sockets"):
    raise ValueError(f"WSEDU_NETWORK must be memory or sockets (the default), not {_NETWORK!r}")
if _IN_BROWSER or (_NETWORK == "memory" and "--multiprocessing-fork" not in sys.orig_argv):
    import_module(".memory", __name__).install()
