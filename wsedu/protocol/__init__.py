# SPDX-License-Identifier: GPL-2.0-or-later
"""What the bytes mean: HTTP/1.1 heads and WebSocket frames, as values.

Nothing here opens a socket, reads a clock or knows Scapy. Bytes go in, values come out, and each rule of
RFC 6455, RFC 9110 and RFC 9112 that is applied stands in exactly one place.

Read it in this order. Both halves: ``errors``, ``arguments``, ``spans``. WebSocket: ``opcodes``, ``status``,
``masking``, ``utf8``, ``header``, ``frame_spans``, ``frames``, ``messages``. HTTP: ``head_lines``, ``head_rules``,
``known_fields``, ``head_spans``, ``http1``, ``chunked``, ``content``. Between them: ``handshake``, with
``handshake_rules``.
"""
