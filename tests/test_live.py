# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers of the notebooks are real, end with their block, and leave nothing behind."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from websockets.sync.client import connect

from wsedu.live import Publisher, Server, connect_raw, http_server, news_server, websocket_server
from wsedu.live.servers import Handler, serving, tornado_echo_server

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def our_threads() -> set[threading.Thread]:
    """Those that run now; the servers of ``wsedu.lab``, which another test may have started, stay until the end."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("wsedu")}


def get(port: int, target: str) -> bytes:
    with connect_raw(port) as connection:
        connection.send(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return connection.receive_all()


def test_a_real_client_is_echoed() -> None:
    with websocket_server() as server, connect(f"ws://127.0.0.1:{server.port}") as client:
        client.send("Hello")
        assert client.recv() == "Hello"


def test_bytes_by_hand_get_the_accept_value_of_rfc_6455_and_the_greeting() -> None:
    with websocket_server(greeting="Hello") as server, connect_raw(server.port) as connection:
        connection.send(UPGRADE)
        head = connection.receive_head()
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
        assert b"Server: websockets\r\n" in head
        assert connection.receive_frame() == b"\x81\x05Hello"


def test_origins_that_are_not_welcome_are_refused() -> None:
    with websocket_server(origins=["http://good.example"]) as server, connect_raw(server.port) as connection:
        connection.send(UPGRADE[:-2] + b"Origin: http://evil.example\r\n\r\n")
        assert connection.receive_head().startswith(b"HTTP/1.1 403 ")


def test_http_pages() -> None:
    with http_server() as server:
        assert get(server.port, "/hello").endswith(b"\r\n\r\nHello\n")
        assert get(server.port, "/number/7").endswith(b"\r\n\r\n7\n")
        assert b"Transfer-Encoding: chunked\r\n" in get(server.port, "/chunks")
        assert get(server.port, "/nowhere").startswith(b"HTTP/1.1 404 ")


def test_a_visit_is_counted_in_the_cookie_and_nowhere_else() -> None:
    with http_server() as server:
        assert b"visit 1\n" in get(server.port, "/visits")
        assert b"visit 1\n" in get(server.port, "/visits")
        with connect_raw(server.port) as connection:
            connection.send(b"GET /visits HTTP/1.1\r\nHost: x\r\nCookie: visits=41\r\n\r\n")
            assert b"Set-Cookie: visits=42;" in connection.receive_head()


def test_100_continue_comes_before_the_content_is_sent() -> None:
    with http_server() as server, connect_raw(server.port) as connection:
        connection.send(
            b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
        )
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


def test_nothing_is_left_behind_after_an_exception_with_clients_that_never_close() -> None:
    before = our_threads()
    with pytest.raises(ZeroDivisionError), websocket_server() as server, http_server() as web:
        clients = [connect_raw(server.port), connect_raw(web.port)]
        clients[0].send(UPGRADE)
        clients[0].receive_head()
        raise ZeroDivisionError
    assert our_threads() == before
    for client in clients:
        client.close()
    with pytest.raises(ConnectionRefusedError, match="nobody listens on"):
        connect_raw(server.port)


NONSENSE: dict[str, tuple[Callable[[], Server], bytes]] = {
    "a cursor": (
        lambda: news_server("longpoll", Publisher()),
        b"GET /news/longpoll?after=x HTTP/1.1\r\nHost: x\r\n\r\n",
    ),
    "text": (
        lambda: news_server("polling", Publisher()),
        b"GET /news/polling?after=%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    ),
    "a form": (
        http_server,
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data\r\nContent-Length: 1\r\n\r\nx",
    ),
    "a page": (http_server, b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a method": (http_server, b"BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a head": (http_server, b"nonsense\r\n\r\n"),
    "a handshake": (tornado_echo_server, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_server_that_is_asked_nonsense_says_it_to_the_client_only(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    make, question = NONSENSE[name]
    with make() as server, connect_raw(server.port) as connection:
        connection.send(question)
        assert connection.receive_head().startswith(b"HTTP/1.1 4")
    assert [said for said in caplog.records if said.levelno >= logging.WARNING] == []


def test_a_handler_that_fails_says_so(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Handler):
        def get(self) -> None:
            raise ZeroDivisionError

    with Server("server", lambda: serving([("/", Broken)])) as server:
        assert get(server.port, "/").startswith(b"HTTP/1.1 500 ")
    assert "ZeroDivisionError" in caplog.text


def test_what_was_awaited_and_what_came_is_said() -> None:
    with websocket_server() as server, connect_raw(server.port, timeout=0.05) as connection:
        connection.send(UPGRADE)
        connection.receive_head()
        with pytest.raises(TimeoutError, match=r"waited 0\.05 s for the header of a frame; 0 bytes"):
            connection.receive_frame()
    with http_server() as server, connect_raw(server.port) as connection:
        connection.send(b"GET /hello HTTP/1.0\r\n\r\n")
        with pytest.raises(EOFError, match=r"before 999 bytes came; \d+ bytes are there: b'HTTP/1.1 200"):
            connection.receive_exactly(999)
        assert connection.receive_all().endswith(b"Hello\n")  # nothing was lost by giving up
