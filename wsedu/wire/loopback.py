# SPDX-License-Identifier: GPL-2.0-or-later
"""A packet socket on the loopback interface, and what it takes to be given one (Linux, packet(7))."""

from __future__ import annotations

import array
import contextlib
import socket
import struct
import sys

BUFFER = 32 << 20  # bytes
LARGEST = 1 << 18  # bytes kept of a packet; on loopback they have up to 64 KiB
PATIENCE = 0.25  # seconds that reading waits for a packet

# From <linux/if_packet.h>, <linux/if_ether.h> and <asm-generic/socket.h>; Python has no names for them.
_LOOPBACK, _ETH_P_ALL, _SOL_PACKET, _PACKET_STATISTICS, _PACKET_OUTGOING = "lo", 3, 263, 6, 4
_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 26, 33, 35
# From <linux/filter.h>: the operations that we need, and where the direction of a packet is to be found.
_BYTE, _HALF, _HALF_FROM_X, _SET_X, _SET_X_TO_IPV4_HEADER = 0x30, 0x28, 0x48, 0x01, 0xB1
_IS, _RETURN, _PACKET_TYPE = 0x15, 0x06, 0xFFFFF004

_WHAT_TO_DO = (
    "Start Python or JupyterLab as root, give the Python program the right (setcap cap_net_raw,cap_net_admin=ep), or "
    "use a virtual machine of your own. Or leave kernel=True away: the relay needs no privilege, and records the same "
    "messages with TCP/IP modelled around them."
)


def own_socket(address: str) -> socket.socket:
    """A UDP socket that is connected to itself.

    Raises:
        ValueError: the address is not one of this machine's.
    """
    with contextlib.ExitStack() as opened:
        own = opened.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        try:
            own.bind((address, 0))
            own.connect(own.getsockname())
        except OSError as error:
            raise ValueError(
                f"host {address} is not this machine ({error.strerror}), and kernel=True sees only its loopback"
            ) from None
        opened.pop_all()
    return own


def packet_socket(port: int, sentinel_port: int) -> socket.socket:
    """A packet socket that gives what the loopback interface sends from or to these ports.

    Raises:
        PermissionError: this process may not have one.
    """
    if sys.platform != "linux":
        raise PermissionError(f"record(kernel=True) works on Linux only. {_WHAT_TO_DO}")
    with contextlib.ExitStack() as opened:
        try:
            tap = opened.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        except OSError as error:
            raise PermissionError(
                "record(kernel=True) needs the right to see packets (CAP_NET_RAW), and this process does not have it "
                f"({error.strerror}). {_WHAT_TO_DO}"
            ) from None
        try:
            tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, BUFFER)
        except PermissionError:  # without CAP_NET_ADMIN, as much as the machine's limit allows
            tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
        tap.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        seconds, rest = divmod(PATIENCE, 1)
        tap.setsockopt(
            socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", int(seconds), int(rest * 1e6))
        )
        program = array.array("Q", _filter(port, sentinel_port))
        tap.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), program.buffer_info()[0])
        )
        tap.bind((_LOOPBACK, _ETH_P_ALL))  # last, so that nothing comes before the filter is there
        opened.pop_all()
    return tap


def buffer_size(tap: socket.socket) -> int:
    """Bytes that may wait in the socket's buffer; Linux says twice as many, the half being for its own records."""
    return tap.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 2


def dropped_packets(tap: socket.socket) -> int:
    """How many packets have not fitted into the socket's buffer since this was last asked."""
    return int(struct.unpack("@II", tap.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8))[1])


def _filter(port: int, sentinel_port: int) -> bytes:
    """A program for the kernel's packet filter: TCP from or to the port and UDP to the sentinel's, as they leave.

    Ethernet's header has 14 bytes; the registers are A, which the loads fill, and X, the length of the IP header.
    """
    tcp, udp = socket.IPPROTO_TCP, socket.IPPROTO_UDP
    ports, yes, no = 14, 18, 19
    program = [  # operation, operand, next line if equal, next line if not
        (_BYTE, _PACKET_TYPE, 1, 1),
        (_IS, _PACKET_OUTGOING, 2, no),
        (_HALF, 12, 3, 3),  # EtherType
        (_IS, 0x86DD, 4, 7),
        (_SET_X, 40, 5, 5),
        (_BYTE, 20, 6, 6),  # IPv6: next header
        (_IS, tcp, ports, no),
        (_IS, 0x0800, 8, no),
        (_SET_X_TO_IPV4_HEADER, 14, 9, 9),
        (_BYTE, 23, 10, 10),  # IPv4: protocol
        (_IS, tcp, ports, 11),
        (_IS, udp, 12, no),
        (_HALF_FROM_X, 16, 13, 13),
        (_IS, sentinel_port, yes, no),
        (_HALF_FROM_X, 14, 15, 15),  # ports: source
        (_IS, port, yes, 16),
        (_HALF_FROM_X, 16, 17, 17),  # destination
        (_IS, port, yes, no),
        (_RETURN, LARGEST, 19, 19),  # yes: so many bytes
        (_RETURN, 0, 20, 20),  # no
    ]
    return b"".join(
        struct.pack("@HBBI", operation, equal - line, other - line, operand)
        for line, (operation, operand, equal, other) in enumerate(program, start=1)
    )
