# SPDX-License-Identifier: GPL-2.0-or-later
"""A small real network on one machine: two hosts, one cable (Linux only).

The hosts are network namespaces and the cable is a veth pair, so that what is recorded on it is what a
network carries: packets of at most 1,514 bytes, each of them once, every checksum filled in. On the loopback
interface none of the three is true. Root can do this, and so can anybody inside ``unshare -Urn``.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import threading
import time
from contextlib import suppress

# Addresses set aside for documentation: RFC 5737 (IPv4), RFC 3849 (IPv6), RFC 9542, 2.1.2 (Ethernet).
SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
SERVER_IPV6, CLIENT_IPV6 = "2001:db8::1", "2001:db8::2"
SERVER_MAC, CLIENT_MAC = "00:00:5e:00:53:01", "00:00:5e:00:53:02"
SERVER_INTERFACE, CLIENT_INTERFACE = "server", "client"

SERVER_HALF, CLIENT_HALF = "server-half", "client-half"  # where a cable is cut
LOST = b"A 10"  # the first frame that holds it gets lost there
DELAY = 0.02  # seconds, in each direction

_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
_ETH_P_ALL, _SOL_PACKET, _PACKET_IGNORE_OUTGOING, _SO_TIMESTAMPNS = 3, 263, 23, 35
# ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO: nobody may join or split segments behind our back.
# ETHTOOL_STXCSUM: the kernel itself fills in the checksums, as there is no card that would do it later.
_OFFLOADS = (0x1F, 0x24, 0x2C, 0x17)


class Network:
    """Two hosts and the cable between them, for the length of a ``with`` block.

    The calling process becomes the server's host (it must not have started threads); programs started with
    `client_command` run on the client's. Raises PermissionError where namespaces may not be made, and
    FileNotFoundError where the programs ``ip``, ``unshare`` or ``nsenter`` are missing.
    """

    def __enter__(self) -> Network:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET) != 0:
            raise PermissionError("no new network namespace: be root, or run this under unshare -Urn")
        # A process that does nothing keeps the client's namespace alive until its standard input closes.
        self._keeper = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo ready; read line"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._keeper.stdout is not None
        if self._keeper.stdout.readline() != b"ready\n":
            raise PermissionError("no second network namespace")
        self._lay_the_cable()
        return self

    def __exit__(self, *raised: object) -> None:
        self._keeper.communicate(timeout=10)

    def client_command(self, *command: str) -> list[str]:
        """The command that runs `command` on the client's host."""
        return ["nsenter", f"--net=/proc/{self._keeper.pid}/ns/net", *command]

    def _lay_the_cable(self) -> None:
        near, far = SERVER_INTERFACE, CLIENT_INTERFACE
        self._add_pairs(near, far)
        _turn_offloads_off(near)
        _turn_offloads_off(far)
        _run("ip", "link", "set", far, "netns", str(self._keeper.pid))
        for interface, mac, addresses, prefix in (
            (near, SERVER_MAC, (SERVER, SERVER_IPV6), []),
            (far, CLIENT_MAC, (CLIENT, CLIENT_IPV6), self.client_command()),
        ):
            _run(*prefix, "ip", "link", "set", "lo", "up")
            # No link-local address: it would appear a second or two later, and Chromium closes its idle
            # connections when the machine's addresses change.
            _run(*prefix, "ip", "link", "set", interface, "address", mac, "addrgenmode", "none", "up")
            _run(*prefix, "ip", "address", "add", f"{addresses[0]}/24", "dev", interface)
            # nodad: the address is usable at once, as nobody else can be on this cable.
            _run(*prefix, "ip", "address", "add", f"{addresses[1]}/64", "dev", interface, "nodad")

    def _add_pairs(self, near: str, far: str) -> None:
        _run("ip", "link", "add", near, "type", "veth", "peer", "name", far)


class LossyNetwork(Network):
    """One whose cable is cut: a forwarder carries frames from half to half, `DELAY` later, and one of them gets lost.

    What the client sees can be recorded at `CLIENT_HALF`, which is an interface of the server's host.
    """

    def _add_pairs(self, near: str, far: str) -> None:
        super()._add_pairs(near, SERVER_HALF)
        super()._add_pairs(far, CLIENT_HALF)
        ends = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL)) for _ in range(2)]
        for half, end in zip((SERVER_HALF, CLIENT_HALF), ends, strict=True):
            _run("ip", "link", "set", half, "addrgenmode", "none", "up")
            end.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            end.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            end.bind((half, 0))
        for pair in ends, ends[::-1]:
            threading.Thread(target=_carry, args=pair, daemon=True).start()


def _carry(source: socket.socket, to: socket.socket) -> None:
    """Pass frames on until there is no network any more; those that are on their way wait in the socket."""
    lost = False
    with suppress(OSError):
        while True:
            frame, [(_, _, came)], *_ = source.recvmsg(1 << 16, 64)
            if LOST in frame and not lost:
                lost = True
                continue
            seconds, nanoseconds = struct.unpack("@qq", came)
            time.sleep(max(0.0, seconds + nanoseconds / 1e9 + DELAY - time.time()))
            to.send(frame)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, env=dict(os.environ, LC_ALL="C"))


def _turn_offloads_off(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            address, _ = value.buffer_info()
            fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("16sP", interface.encode(), address))
