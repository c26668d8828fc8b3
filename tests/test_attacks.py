# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers and proxies that notebook 13 attacks: each makes the one mistake that it is there for, and no other."""

import pytest

import wsedu
from wsedu import Frame
from wsedu.lab import reactions
from wsedu.live import attacks, connect_raw, websocket_server
from wsedu.live.attacks import COOKIE, Reaction, answering_server, reaction, web_server
from wsedu.live.connect_raw import RawConnection

SCRIPT = b"GET /script.js HTTP/1.1\r\nHost: bank.example\r\n\r\n"
KEY = bytes.fromhex("37 fa 21 3d")


def _head(connection: RawConnection, sent: bytes) -> bytes:
    connection.send(sent)
    return connection.receive_head()[:12]


@pytest.mark.parametrize(("cookie", "origin", "status"), [("", "", 401), (COOKIE, "", 403), (COOKIE, "http://a", 101)])
def test_an_account_is_told_to_whom_it_belongs(cookie: str, origin: str, status: int) -> None:
    fields = [field for field in (("Cookie", cookie), ("Origin", origin)) if field[1]]
    with attacks.account_server(origins=["http://a"]) as server, connect_raw(server.port) as connection:
        said = _head(connection, wsedu.handshake.request("a", fields=fields))
        assert said == f"HTTP/1.1 {status}".encode()


def test_a_cache_keeps_what_it_was_asked_for_and_believes_a_frame() -> None:
    with web_server() as bank, answering_server(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!") as evil:
        with attacks.CachingProxy({"bank.example": bank.port, "evil.example": evil.port}) as proxy:
            for key in KEY, None:  # what a masked frame says is not seen, and what an unmasked one says is
                with connect_raw(proxy.port) as connection:
                    _head(connection, wsedu.handshake.request("evil.example"))
                    connection.send(Frame(1, SCRIPT, masking_key=key).serialize())
                    connection.receive_frame()
                assert (("bank.example", "/script.js") in proxy.stored) is (key is None)
            proxy.stored.clear()
            with connect_raw(proxy.port) as connection:  # left open: it ends with the proxy
                _head(connection, SCRIPT)
                assert b"balance" in proxy.stored["bank.example", "/script.js"]


@pytest.mark.parametrize(("version", "reads_status", "then"), [(9, False, 200), (9, True, 403), (13, True, 101)])
def test_a_guard_looks_on_but_into_what_it_takes_for_a_tunnel(version: int, reads_status: bool, then: int) -> None:
    forbidden = SCRIPT.replace(b"script.js", b"internal")
    upgrade = wsedu.handshake.request("bank.example").replace(b"Version: 13", f"Version: {version}".encode())
    with web_server() as server, attacks.GuardingProxy(server.port, reads_status=reads_status) as proxy:
        with connect_raw(proxy.port) as connection:
            assert _head(connection, forbidden) == b"HTTP/1.1 403"
            opened = _head(connection, upgrade)
            if opened == b"HTTP/1.1 101":
                connection.send(Frame(1, forbidden, masking_key=KEY).serialize())
                assert forbidden in connection.receive_frame()  # an echo: in a real tunnel nobody looks
            else:
                assert _head(connection, forbidden) == f"HTTP/1.1 {then}".encode()


def test_what_a_server_did_is_told_by_what_it_answers() -> None:
    hello = Frame(1, b"Hello", masking_key=KEY).serialize()
    pong, close = (Frame(opcode, masking_key=KEY).serialize() for opcode in (10, 8))
    with websocket_server() as server:
        for sent, words in ((hello * 2, "2 × Text"), (pong, ""), (close, "Close")):
            assert reaction(server.port, sent) == Reaction("accepted", words)
        assert reaction(server.port, hello[:-1], None) == Reaction("waits", "")
        assert reaction(server.port, hello.replace(b"\x81", b"\xc1")).words == "1002 reserved bits must be 0"


def test_wsproto_echoes_a_message_whole() -> None:
    parts = Frame(2, b"ab", fin=False, masking_key=KEY), Frame(0, b"c", masking_key=KEY)
    with attacks.wsproto_echo_server() as server, connect_raw(server.port) as connection:
        _head(connection, wsedu.handshake.request("a"))
        connection.send(b"".join(part.serialize() for part in parts))
        assert connection.receive_frame() == b"\x82\x03abc"


def test_the_table_has_a_row_for_each_and_says_where_they_differ() -> None:
    table = reactions({"not masked": ("5.1", Frame(1, b"Hello").serialize()), "Pong": ("5.5.3", b"\x8a\x80" + KEY)})
    assert table.differing() == ["not masked"]
    assert table.counts()["Tornado"] == {"accepted": 2}
    assert "≠ not masked" in repr(table) and "✗ 1002" in table.html() and "rfc6455#section-5.1" in table.html()


def test_a_plain_proxy_takes_the_upgrade_off_and_passes_a_tunnel_on() -> None:
    asked = wsedu.handshake.request("a")
    for first, status in ((b"", b"426"), (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", b"200")):
        with websocket_server() as server, attacks.PlainProxy(server.port) as proxy:
            with connect_raw(proxy.port) as connection:
                assert _head(connection, first or asked)[9:] == status
                if first:  # what is no HTTP head, such as TLS, has nothing that it would take off
                    connection.send(b"\x16\x03\x01\r\n\r\n")
                    connection.receive_all()
            assert [b"Upgrade" in one for one in proxy.passed_on] == [False]
            assert bool(first) is (proxy.passed_on == [b"\x16\x03\x01\r\n\r\n"])
