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

# Addresses set aside for documentation: RFC 5737 (IPv4), RFC 3849 (IPv6), RFC 9542, 2.1.2 (Ethernet).
SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
SERVER_IPV6, CLIENT_IPV6 = "2001:db8::1", "2001:db8::2"
SERVER_MAC, CLIENT_MAC = "00:00:5e:00:53:01", "00:00:5e:00:53:02"
SERVER_INTERFACE, CLIENT_INTERFACE = "server", "client"

_CLONE_NEWNET = 0x40000000
_SIOCETHTOOL = 0x8946
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
        _run("ip", "link", "add", near, "address", SERVER_MAC, "mtu", "1500", "type", "veth",
             "peer", "name", far, "address", CLIENT_MAC, "mtu", "1500")  # fmt: skip
        _turn_offloads_off(near)
        _turn_offloads_off(far)
        _run("ip", "link", "set", far, "netns", str(self._keeper.pid))
        for interface, addresses, prefix in (
            (near, (SERVER, SERVER_IPV6), []),
            (far, (CLIENT, CLIENT_IPV6), self.client_command()),
        ):
            _run(*prefix, "ip", "link", "set", "lo", "up")
            # No link-local address: it would appear a second or two later, and Chromium closes its idle
            # connections when the machine's addresses change.
            _run(*prefix, "ip", "link", "set", interface, "addrgenmode", "none")
            _run(*prefix, "ip", "link", "set", interface, "up")
            _run(*prefix, "ip", "address", "add", f"{addresses[0]}/24", "dev", interface)
            # nodad: the address is usable at once, as nobody else can be on this cable.
            _run(*prefix, "ip", "address", "add", f"{addresses[1]}/64", "dev", interface, "nodad")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, env=dict(os.environ, LC_ALL="C"))


def _turn_offloads_off(interface: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in _OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            address, _ = value.buffer_info()
            fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("16sP", interface.encode(), address))
