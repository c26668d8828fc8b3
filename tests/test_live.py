# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers of the notebooks are real, end with their block, and leave nothing behind."""

import logging
import socket
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from unittest.mock import Mock

import pytest

from wsedu import Frame, Opcode, handshake
from wsedu.doctor import doctor
from wsedu.live import Publisher, connect_raw, http_server, news_server, websocket_server
from wsedu.live.news_server import WAYS, Way
from wsedu.live.servers import Handler, Server, serving, tornado_echo_server
from wsedu.wire.background import STOP_LIMIT

LIMIT = 60.0  # seconds for what takes milliseconds

UPGRADE = handshake.request("127.0.0.1", key="dGhlIHNhbXBsZSBub25jZQ==")


def get(port: int, target: str) -> bytes:
    with connect_raw(port) as connection:
        connection.send(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return connection.receive_all()


def test_bytes_by_hand_get_the_accept_value_of_rfc_6455_and_the_greeting() -> None:
    with websocket_server(greeting="Hello") as server, connect_raw(server.port) as connection:
        connection.send(UPGRADE)
        status, *fields = connection.receive_head().split(b"\r\n")
        assert status.startswith(b"HTTP/1.1 101 ")
        assert {b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", b"Server: websockets"} <= set(fields)
        assert connection.receive_frame() == b"\x81\x05Hello"
    with websocket_server(origins=["http://good.example"]) as server, connect_raw(server.port) as connection:
        connection.send(UPGRADE[:-2] + b"Origin: http://evil.example\r\n\r\n")
        assert connection.receive_head().startswith(b"HTTP/1.1 403 "), "an origin that is not welcome"


def test_http_pages() -> None:
    with http_server() as server, connect_raw(server.port) as connection:
        assert get(server.port, "/hello").endswith(b"\r\n\r\nHello\n")
        assert get(server.port, "/number/7").endswith(b"\r\n\r\n7\n")
        assert b"Transfer-Encoding: chunked\r\n" in get(server.port, "/chunks")
        assert get(server.port, "/nowhere").startswith(b"HTTP/1.1 404 ")
        # Visits are counted in the cookie, and nowhere else.
        assert b"visit 1\n" in get(server.port, "/visits") and b"visit 1\n" in get(server.port, "/visits")
        connection.send(b"GET /visits HTTP/1.1\r\nHost: x\r\nCookie: visits=41\r\n\r\n")
        assert b"Set-Cookie: visits=42;" in connection.receive_head()
    with http_server() as server, connect_raw(server.port) as connection:  # 100 comes before the content is sent
        connection.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert connection.receive_head().startswith(b"HTTP/1.1 100 ")
        connection.send(b"ok")
        assert connection.receive_head().startswith(b"HTTP/1.1 200 ")
        assert connection.receive_exactly(2) == b"ok"


def test_a_response_waits_for_its_release_and_those_behind_it_wait_too() -> None:
    with http_server() as server, connect_raw(server.port) as connection:
        connection.send(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\nGET /number/2 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.quiet_for(0.1)
        server.release()
        connection.receive_head()
        assert connection.receive_exactly(9) == b"released\n"
        connection.receive_head()
        assert connection.receive_exactly(2) == b"2\n"


BIG = "x" * 10_000_000  # more than the kernel keeps for a client that has room for a few kilobytes


def with_big_news(way: Way) -> Server:
    publisher = Publisher()
    publisher.publish(BIG)
    return news_server(way, publisher)


NEWS = {way: b"/news/" + way.encode() for way in WAYS}
SENDS_MUCH: dict[str, tuple[Callable[[], Server], bytes]] = {
    "websockets": (lambda: websocket_server(greeting=BIG), UPGRADE),
    "Tornado": (tornado_echo_server, UPGRADE + Frame(Opcode.TEXT, BIG.encode(), masking_key=bytes(4)).serialize()),
    "HTTP": (http_server, f"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BIG)}\r\n\r\n{BIG}".encode()),
    # The fields of an opening handshake change nothing for the other three ways.
    **{f"news by {way}": (partial(with_big_news, way), UPGRADE.replace(b"/", NEWS[way], 1)) for way in WAYS},
}


@pytest.fixture
def nothing_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [said.getMessage() for said in caplog.get_records("call") if said.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("name", SENDS_MUCH)
@pytest.mark.parametrize("does", ["never reads", "half a head", "half a frame"])
@pytest.mark.usefixtures("nothing_logged", "nothing_left_open")
def test_a_client_that_hangs_does_not_keep_a_server(name: str, does: str, capfd: pytest.CaptureFixture[str]) -> None:
    make, question = SENDS_MUCH[name]
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(LIMIT)
        with make() as server:
            client.connect(("127.0.0.1", server.port))
            if does == "never reads":
                client.sendall(question)
                received = b""
                while b"\r\n\r\n" not in received[:-1]:  # the content, or the first frame, has begun
                    received += client.recv(100)
            else:
                client.sendall(UPGRADE[:-1] if does == "half a head" else UPGRADE + b"\x81\xfe\x01")
            begin = time.monotonic()
        # By itself websockets waits for the client without end, and close() gives the thread up.
        assert time.monotonic() - begin < STOP_LIMIT
        assert "has stopped listening" in repr(server)
        assert repr(server).endswith("; connections broken off: 1>") or does != "never reads"
        with pytest.raises(ConnectionRefusedError, match="nobody listens on"):
            connect_raw(server.port)
    assert capfd.readouterr().err == ""


FORM = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\nContent-Length: 1\r\n\r\nx"
NONSENSE: dict[str, tuple[Callable[[], Server], str]] = {
    "a cursor": (partial(with_big_news, "longpoll"), "GET /news/longpoll?after=x"),
    "text": (partial(with_big_news, "polling"), "GET /news/polling?after=%ff"),
    "a form": (http_server, FORM),
    "a page": (http_server, "GET /nowhere"),
    "a method": (http_server, "BREW /hello"),
    "a head": (http_server, "nonsense\r\n\r\n"),
    "a handshake": (tornado_echo_server, "GET /"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_server_that_is_asked_nonsense_says_it_to_the_client_only(name: str, nothing_logged: None) -> None:
    make, question = NONSENSE[name]
    with make() as server, connect_raw(server.port) as connection:
        connection.send((question if "\r\n" in question else f"{question} HTTP/1.1\r\nHost: x\r\n\r\n").encode())
        assert connection.receive_head().startswith(b"HTTP/1.1 4")


def test_a_handler_that_fails_says_so(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Handler):
        def get(self) -> None:
            raise ZeroDivisionError

    with Server("server", lambda: serving([("/", Broken)])) as server:
        assert get(server.port, "/").startswith(b"HTTP/1.1 500 ")
    assert "ZeroDivisionError" in caplog.text


def test_doctor_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    # One may listen, and nobody can connect.
    monkeypatch.setattr(socket, "create_connection", Mock(side_effect=TimeoutError("timed out")))
    monkeypatch.setitem(sys.modules, "psutil", None)
    found = {finding.what: finding for finding in doctor()}
    assert found["servers on 127.0.0.1"][1:] == (False, "timed out: live cells fail, captures can be read")
    assert found["memory"].found.startswith("unknown; ")
    # A browser's tab has none of what is not there, and needs none of it.
    monkeypatch.setattr(sys, "platform", "emscripten")
    names = [finding.what for finding in doctor()]
    assert names == ["Python", "ipywidgets", "websockets", "a browser's tab"]


def test_what_was_awaited_and_what_came_is_said() -> None:
    with websocket_server() as server, connect_raw(server.port, timeout=0.05) as connection:
        connection.send(UPGRADE)
        connection.receive_head()
        with pytest.raises(TimeoutError, match=r"waited 0\.05 s for the end of a frame; 0 bytes"):
            connection.receive_frame()
    with http_server() as server, connect_raw(server.port) as connection:
        connection.send(b"GET /hello HTTP/1.0\r\n\r\n")
        with pytest.raises(EOFError, match=r"before 999 bytes came; \d+ bytes are there: b'HTTP/1.1 200"):
            connection.receive_exactly(999)
        assert connection.receive_all().endswith(b"Hello\n")  # nothing was lost by giving up
