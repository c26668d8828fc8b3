# SPDX-License-Identifier: GPL-2.0-or-later
"""A certificate for this machine alone, made on the spot by ``trustme``, and what the two ends of TLS need of it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

from ..wire import background


def tls_contexts(
    key_log: str | Path | None = None, protocols: Sequence[str] = ("http/1.1",), address: str = "127.0.0.1"
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server takes, and a client that believes it.

    Args:
        key_log: a file to which the client adds the secrets of its connections, as a browser does.
        protocols: for ALPN, of both ends; the server's choice goes by its order (RFC 7301).
        address: of the server; its certificate is for ``localhost`` as well.
    """
    background.need_system("TLS", in_memory=True)
    import trustme  # here, as it takes longer to load than most that is served without TLS

    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority = trustme.CA()
    authority.issue_cert("localhost", address).configure_cert(server)
    authority.configure_trust(client)
    # A browser ends TCP without saying so in TLS before, which OpenSSL would answer with an alert.
    server.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    for context in server, client:
        context.set_alpn_protocols(list(protocols))
    if key_log is not None:
        client.keylog_filename = str(key_log)
    return server, client
