# SPDX-License-Identifier: GPL-2.0-or-later
"""A certificate for this machine alone, made on the spot, and what the two ends of a TLS connection need of it."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from pathlib import Path

LOCALHOST = "localhost"


def certificate(address: str = "127.0.0.1") -> tuple[bytes, bytes]:
    """A certificate for ``localhost`` and an address that is valid for a day, and its private key, both as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, LOCALHOST)])
    hosts = [x509.DNSName(LOCALHOST), x509.IPAddress(ipaddress.ip_address(address))]
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return made.public_bytes(form[0]), key.private_bytes(*form)


def tls_contexts(
    key_log: str | Path | None = None, protocols: Sequence[str] = ("http/1.1",), address: str = "127.0.0.1"
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server takes, and a client that believes it.

    Args:
        key_log: a file to which the client adds the secrets of its connections, as a browser does.
        protocols: for ALPN, of both ends; the server's choice goes by its order (RFC 7301).
        address: of the server.
    """
    made, key = certificate(address)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cadata=made.decode())
    with tempfile.TemporaryDirectory(prefix="wsedu-") as directory:  # OpenSSL reads a private key from a file only
        file = Path(directory) / "certificate.pem"
        file.write_bytes(made + key)
        server.load_cert_chain(file)
    # A browser ends TCP without saying so in TLS before, which OpenSSL would answer with an alert.
    server.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
    for context in server, client:
        context.set_alpn_protocols(list(protocols))
    if key_log is not None:
        client.keylog_filename = str(key_log)
    return server, client
