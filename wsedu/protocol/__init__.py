# SPDX-License-Identifier: GPL-2.0-or-later
"""What the bytes mean: heads of HTTP/1.1, frames of HTTP/2 and of WebSocket, as values.

Nothing here opens a socket, reads a clock or knows Scapy. Bytes go in, values come out, and each rule of
RFC 6455, RFC 9110, RFC 9112 and RFC 9113 that is applied stands in exactly one place.

Read it in this order. Both halves: ``errors``, ``spans``. HTTP: ``http1``, ``http1_spans``, ``content``. Between them:
``handshake``. WebSocket: ``opcodes``, ``utf8``, ``status``, ``frames``, ``frame_spans``, ``messages``. Beside them
HTTP/2: ``hpack``, ``http2``.
"""
