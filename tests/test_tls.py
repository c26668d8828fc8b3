# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS records to plaintext, held to OpenSSL in this process: what went in has to come out, whatever the suite."""

from __future__ import annotations

import io
import random
import re
import ssl
import struct
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from agreement import reads
from by_hand import packets_in, tcp_packets
from capture_maker import CLIENT, GET, SERVER, Blocks, Talk, dissected, key_log, pcap
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from oracles import CAPTURES, merged, tshark

import wsedu
from wsedu.live.certificate import tls_contexts
from wsedu.protocol.errors import ProtocolError
from wsedu.wire.key_log import KeyLog, read_key_log
from wsedu.wire.message_parser import OTHER, Sender
from wsedu.wire.pcapfile import LINKTYPE_ETHERNET, Packet, read_packets, write_capture
from wsedu.wire.tls import APPLICATION_DATA, HANDSHAKE, TlsConnection, expand_label

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + bytes(40_000)
SAID: list[tuple[Sender, bytes]] = [("client", GET), ("server", ANSWER), ("client", GET)]
OLD_SUITES = [
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
]  # fmt: skip


class Spoken(NamedTuple):
    """What went over the wire, in order, and what the client wrote down of its secrets."""

    flights: list[tuple[Sender, bytes]]
    key_log: str
    session: ssl.SSLSession | None


def speak(tmp_path: Path, suite: str = "", session: ssl.SSLSession | None = None,
          contexts: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
          words: Iterable[tuple[Sender, bytes]] = SAID) -> Spoken:  # fmt: skip
    """Let OpenSSL say ``words`` to itself, over buffers in memory."""
    log = tmp_path / "keys"
    known = log.read_text() if log.exists() else ""
    server, client = contexts or tls_contexts(log, ["h2", "http/1.1"])
    if suite:
        server.maximum_version = ssl.TLSVersion.TLSv1_2
        server.set_ciphers(suite)
    out, to = [{sender: ssl.MemoryBIO() for sender in OTHER} for _ in range(2)]
    ends = {
        "client": client.wrap_bio(to["client"], out["client"], server_hostname="localhost", session=session),
        "server": server.wrap_bio(to["server"], out["server"], server_side=True),
    }
    flights: list[tuple[Sender, bytes]] = []

    def turn(sender: Sender, act: str, *args: object) -> bool:
        try:
            getattr(ends[sender], act)(*args)
        except ssl.SSLWantReadError:
            return False
        finally:
            if data := out[sender].read():
                flights.append((sender, data))
                to[OTHER[sender]].write(data)
        return True

    while not all([turn("client", "do_handshake"), turn("server", "do_handshake")]):
        pass
    for sender, data in words:
        turn(sender, "write", data)
        left = len(data)
        while left:
            left -= len(ends[OTHER[sender]].read(left))
    return Spoken(flights, log.read_text().removeprefix(known), ends["client"].session)


def read(
    flights: list[tuple[Sender, bytes]], key_log: str, step: int = 1 << 20
) -> tuple[TlsConnection, dict[str, bytes]]:
    """What a reader makes of it: the connection, and the application data of each side."""
    (keys := KeyLog()).add(key_log.splitlines())
    connection = TlsConnection(keys)
    plain = {"client": b"", "server": b""}
    for sender, data in flights:
        for at in range(0, len(data), step):
            connection.sides[sender].buffer += data[at : at + step]
            while record := connection.next_record(connection.sides[sender]):
                if record.content_type == APPLICATION_DATA and record.content is not None:
                    plain[sender] += record.content
    return connection, plain


def said(sender: Sender) -> bytes:
    return b"".join(data for who, data in SAID if who == sender)


@pytest.mark.parametrize("suite", ["", *OLD_SUITES])
@pytest.mark.parametrize("step", [1 << 20, 7])
def test_what_openssl_encrypts_comes_out(suite: str, step: int, tmp_path: Path) -> None:
    spoken = speak(tmp_path, suite)
    connection, plain = read(spoken.flights, spoken.key_log, step)
    assert plain == {"client": said("client"), "server": said("server")}
    assert connection.version == ("1.2" if suite else "1.3")
    assert (connection.server_name, connection.offered) == ("localhost", ("h2", "http/1.1"))
    assert (connection.protocol, connection.why_closed) == ("h2", "")


def test_a_resumed_connection_has_secrets_of_its_own(tmp_path: Path) -> None:
    contexts = tls_contexts(tmp_path / "keys")
    first = speak(tmp_path, contexts=contexts)
    again = speak(tmp_path, session=first.session, contexts=contexts)
    assert sum(len(data) for _, data in again.flights) < sum(len(data) for _, data in first.flights)  # no certificate
    assert read(again.flights, again.key_log)[1]["client"] == said("client")
    closed = read(again.flights, first.key_log)[0]
    assert str(closed).startswith("TLS 1.3; the key log has no keys for it; it resumes a session; server name")
    assert closed.resumed and not read(first.flights, "")[0].resumed


def test_a_server_may_ask_for_another_hello(tmp_path: Path) -> None:
    server, client = contexts = tls_contexts(tmp_path / "keys")
    server.set_ecdh_curve("secp521r1")  # for which no client sends a key share at once
    spoken = speak(tmp_path, contexts=contexts)
    assert len(spoken.flights) > len(speak(tmp_path).flights)
    assert read(spoken.flights, spoken.key_log)[1]["client"] == said("client")
    assert read(spoken.flights, "")[0].why_closed == "the key log has no keys for it"


@pytest.mark.parametrize("suite", ["", OLD_SUITES[0]])
def test_without_keys_the_hellos_can_be_read(suite: str, tmp_path: Path) -> None:
    connection, plain = read(speak(tmp_path, suite).flights, "")
    assert (connection.server_name, connection.offered) == ("localhost", ("h2", "http/1.1"))
    assert connection.protocol == ("h2" if suite else "")  # TLS 1.3 encrypts the server's choice
    assert connection.why_closed and not any(plain.values())


@pytest.mark.parametrize("suite", ["", OLD_SUITES[0]])
def test_a_changed_byte_is_refused_by_its_tag(suite: str, tmp_path: Path) -> None:
    spoken = speak(tmp_path, suite)
    sender, last = spoken.flights[-1]
    changed = [*spoken.flights[:-1], (sender, last[:-1] + bytes([last[-1] ^ 1]))]
    with pytest.raises(ProtocolError, match="record at byte .* the tag is wrong") as refused:
        read(changed, spoken.key_log)
    assert refused.value.offset == sum(len(data) for who, data in spoken.flights if who == sender) - len(last)
    with pytest.raises(ProtocolError, match="another key"):
        read(spoken.flights, re.sub(r"\w{4}$", "abcd", spoken.key_log, flags=re.MULTILINE))


def test_a_key_update_and_several_handshake_messages_in_a_record(tmp_path: Path) -> None:
    # OpenSSL has no function for it in Python, so the client's next records are made by hand, with the RFC's labels.
    spoken = speak(tmp_path)
    [secret] = re.findall(r"(?m)^CLIENT_TRAFFIC_SECRET_0 \w+ (\w+)$", spoken.key_log)
    count = 2  # records of the client so far with this secret

    def sealed(secret: bytes, number: int, content: bytes, content_type: int) -> bytes:
        key, iv = (expand_label(secret, label, size, "sha384") for label, size in (("key", 32), ("iv", 12)))
        header = bytes([APPLICATION_DATA, 3, 3]) + (len(content) + 1 + 3 + 16).to_bytes(2)
        nonce = (int.from_bytes(iv) ^ number).to_bytes(12)
        return header + AESGCM(key).encrypt(nonce, content + bytes([content_type]) + bytes(3), header)

    # A ticket (which a client never sends, and a reader skips) and a KeyUpdate in one record, then padding, then data.
    update = b"\x04\x00\x00\x01\x00" + b"\x18\x00\x00\x01\x00"
    after = expand_label(bytes.fromhex(secret), "traffic upd", 48, "sha384")
    more: list[tuple[Sender, bytes]] = [
        (
            "client",
            sealed(bytes.fromhex(secret), count, update, HANDSHAKE) + sealed(after, 0, b"after", APPLICATION_DATA),
        )
    ]
    assert read(spoken.flights + more, spoken.key_log)[1]["client"] == said("client") + b"after"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x16\x03\x01\xff\xff" + bytes(10), "not the header of a record"),
        (b"GET / HTTP/1.1\r\n", "not the header of a record"),
        (b"\x16\x03\x01\x00\x04\x01\xff\xff\xff", "16,777,215 bytes long"),
        (b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03", "ends inside one of its fields"),
        (b"\x16\x03\x01\x00\x02\x01\x00", None),
        (b"\x16\x03", None),
    ],
)
def test_bytes_that_are_no_tls_are_refused_and_those_that_stop_are_waited_for(data: bytes, why: str | None) -> None:
    if why is None:
        assert read([("client", data)], "")[0].version == ""
        return
    with pytest.raises(ProtocolError, match=why):
        read([("client", data)], "")


def test_a_version_of_a_thousand_digits_is_none() -> None:
    extension = b"\0\x2b\x0b\xb8" + b"\xff" * 3000
    body = b"\3\3" + bytes(33) + b"\x13\1\0" + len(extension).to_bytes(2) + extension
    message = b"\2" + len(body).to_bytes(3) + body
    server = b"\x16\3\3" + len(message).to_bytes(2) + message
    assert read([("client", b"\x14\3\3\0\1\1"), ("server", server)], "")[0].version == "1.64766"


def test_a_key_log_says_which_line_is_none() -> None:
    text = "# a remark\n\nCLIENT_RANDOM 00 11\n"
    for wrong in "CLIENT_RANDOM 00", "CLIENT_RANDOM 00 xy", "\x7fELF":
        keys = KeyLog()
        with pytest.raises(ValueError, match="^line 4 of the key log is not a label and two hexadecimal numbers$"):
            keys.add((text + wrong).splitlines())
        assert keys == {(b"\0", "CLIENT_RANDOM"): b"\x11"}


def test_expand_label_as_in_rfc_8448() -> None:
    # RFC 8448, 3: the server's handshake traffic secret of the simple 1-RTT handshake, and its key and IV.
    secret = bytes.fromhex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38")
    assert expand_label(secret, "key", 16, "sha256").hex() == "3fce516009c21727d0f2e4e86ee403bc"
    assert expand_label(secret, "iv", 12, "sha256").hex() == "5d313eb2671276ee13000b30"


def packets_of(talk: Talk, flights: list[tuple[Sender, bytes]], size: int = 1400) -> list[bytes]:
    return [
        packet for sender, data in flights for packet in talk.say(CLIENT if sender == "client" else SERVER, data, size)
    ]


@pytest.mark.parametrize("suite", ["", OLD_SUITES[0]])
@pytest.mark.parametrize("size", [1400, 7])
def test_a_capture_is_read_with_its_key_log(suite: str, size: int, tmp_path: Path) -> None:
    spoken, talk = speak(tmp_path, suite), Talk()
    file = pcap([*talk.open(), *packets_of(talk, spoken.flights, size), *talk.close()])
    log = tmp_path / "secrets"
    log.write_text(spoken.key_log)
    [conversation] = (capture := wsedu.read(io.BytesIO(file), keylog=log)).conversations
    assert conversation.tls == ("1.2" if suite else "1.3") and not capture.warnings
    assert [message.raw for message in conversation.messages] == [data for _, data in SAID]
    bill, packets = conversation.bill(), conversation.messages[1].packets
    assert bill.total_bytes == capture.bill().total_bytes == sum(len(packet.data) for packet in capture.packets)
    assert bill.parts["content"] == 40_000 and bill.parts["http head"] == 3 * len(GET) - len(GET) + len(ANSWER) - 40_000
    assert bill.parts["tls"] > 3 * 22 and bill.parts["other"] == 0
    assert list(packets) == list(range(packets[0], packets[-1] + 1)) and len(packets) >= 40_000 // size
    said = dissected(file, "--keylog", log)
    assert {row["tls"] for row in said.rows} == {conversation.tls} and len(said.rows) == 3 and not said.complaints


def test_a_pcapng_may_hold_its_keys(tmp_path: Path) -> None:
    spoken = speak(tmp_path)
    keys = spoken.key_log.encode()
    # A key log of TLS; one of WireGuard; one that says that it is longer than its block.
    for kind, more, found in (0x544C534B, 0, 3), (0x57474B4C, 0, 0), (0x544C534B, 1 << 20, 3):
        blocks, talk = Blocks().interface(), Talk()
        blocks.block(10, struct.pack("<II", kind, len(keys) + more) + keys)
        for packet in [*talk.open(), *packets_of(talk, spoken.flights)]:
            blocks.enhanced(packet)
        said = dissected(blocks.file)
        assert len(said.rows) == found and ("the key log has no keys" in "".join(said.complaints)) == (not found)
        wsedu.read(io.BytesIO(blocks.file)).save(tmp_path / "saved")  # and it holds them still
        assert len(wsedu.read(tmp_path / "saved").conversations) == bool(found)
    said = dissected(Blocks().interface().block(10, struct.pack("<II", 0x544C534B, 3) + b"abc\0").file)
    assert said.status == 0 and "line 1 of the key log is not" in said.complaints[0] and len(said.complaints) == 1


def test_tls_inside_a_tunnel_and_from_its_second_half(tmp_path: Path) -> None:
    spoken, log = speak(tmp_path), tmp_path / "secrets"
    log.write_text(spoken.key_log)
    talk = Talk()
    asked = talk.open() + talk.say(CLIENT, b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n")
    tunnel = asked + talk.say(SERVER, b"HTTP/1.1 200 OK\r\n\r\n") + packets_of(talk, spoken.flights)
    said = dissected(pcap(tunnel), "--keylog", log)
    assert [row.get("method", row.get("status")) for row in said.rows] == ["CONNECT", 200, "GET", 200, "GET"]
    hello, *rest = spoken.flights
    late = packets_of(talk := Talk(), [rest[0], hello, *rest[1:]])  # a capture may have them in another order
    assert len(dissected(pcap([*talk.open(), *late]), "--keylog", log).rows) == 3
    late = packets_of(Talk(), spoken.flights[1:])
    assert (
        "ends" not in (complaint := dissected(pcap(late), "--keylog", log).complaints[0]) and "encrypted" in complaint
    )


def test_what_is_wrong_with_keys_is_said_in_a_line(tmp_path: Path) -> None:
    spoken, talk = speak(tmp_path), Talk()
    file = pcap([*talk.open(), *packets_of(talk, spoken.flights)])
    log = tmp_path / "secrets"
    log.write_text(re.sub(r"\w{4}$", "abcd", spoken.key_log, flags=re.MULTILINE))
    [refused, other] = dissected(file, "--keylog", log).complaints
    assert "the tag is wrong: another key, or changed bytes" in refused + other
    [said] = dissected(file).complaints
    assert "server name 'localhost'; ALPN 'h2, http/1.1'; " in said and "records of the server" in said
    [said] = dissected(pcap(packets_of(Talk(), spoken.flights[:1]))).complaints
    assert "is encrypted: TLS without an answer; its handshake goes no further; server name 'localhost'" in said
    log.write_text("nonsense")
    for path, why in (log, "line 1 of the key log"), (tmp_path / "none", "No such file"):
        said_of = dissected(file, "--keylog", path)
        assert said_of.status == 2 and why in said_of.complaints[0]


def record(content: bytes, content_type: int = HANDSHAKE) -> bytes:
    return bytes([content_type, 3, 3]) + len(content).to_bytes(2) + content


HOSTILE = {
    "a handshake message that never ends": (record(b"\x01\x0f\xff\x00") + record(b"x") * 3000, ""),
    "empty records": (record(b"") * 3000, ""),
    "no record": (record(b"\x01") + b"\x16\x02" + bytes(99), "not the header of a record"),
    "a record cut": (record(b"\x01\0\xff\0")[:8], "unfinished at the end: a TLS record of the client, 8 bytes so far"),
    "early data": (
record(b"\x01\0\0\x2f\x03\x03" + bytes(33) + b"\0\x02\x13\x01\x01\0\0\x04\0\x2a\0\0") + record(b"?", 23),
        "early data is not read; 1 records of the client, 6 bytes",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("data", "says"), HOSTILE.values(), ids=HOSTILE)
def test_hostile(data: bytes, says: str) -> None:
    """At most one line, and nothing that grows."""
    talk = Talk()
    tracemalloc.start()
    capture = reads(pcap(talk.open() + talk.say(CLIENT, data, 1400)))
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()
    assert len(capture.warnings) == bool(says) and says in "".join(capture.warnings)
    parts = capture.bill().parts
    assert parts["tls"] + parts["other"] == len(data)


def test_any_change_of_records_and_keys(tmp_path: Path) -> None:
    """No traceback, every way of reading says the same, and the bill adds up."""
    spoken, rng = speak(tmp_path), random.Random(13)
    for _ in range(12):
        flights, keys = (
            [(sender, bytearray(data)) for sender, data in spoken.flights],
            bytearray(spoken.key_log.encode()),
        )
        for changed in (
            rng.choice([keys, flights[rng.randrange(len(flights))][1]]),
            flights[rng.randrange(9) % len(flights)][1],
        ):
            at = rng.randrange(len(changed))
            changed[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        packets = packets_of(Talk(), [(sender, bytes(data)) for sender, data in flights])
        made = [Packet(0, LINKTYPE_ETHERNET, packet, len(packet)) for packet in packets]
        reads(write_capture(made, secrets=bytes(keys)))


def test_a_large_key_log_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsedu.wire.key_log.MOST_SECRETS", 100)
    log = tmp_path / "keys"
    for text, says in (
        ("".join(f"CLIENT_RANDOM {number:064x} 00\n" for number in range(200)), "more than 100 secrets"),
        ("\0" * 5_000_000, "line 1 of the key log is not"),
    ):
        log.write_text(text)
        tracemalloc.start()
        said = dissected(pcap(Talk().open()), "--keylog", log)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
        tracemalloc.stop()
        assert said.status == 2 and len(said.complaints) == 1 and says in said.complaints[0]


def opened(path: Path) -> list[list[str]]:
    """Of each connection the application data of its records: as hexadecimal, with a tab before the server's."""
    keys = read_key_log(key_log(path))
    with path.open("rb") as file:
        list(read_packets(file, keys.add))
    found: dict[frozenset[bytes], tuple[TlsConnection, list[str]]] = {}
    for packet in tcp_packets(packets_in(path.read_bytes())):
        ends = frozenset((packet.source, packet.destination))
        connection, lines = found.setdefault(ends, (TlsConnection(keys), []))
        side = connection.sides["client" if packet.from_client else "server"]
        side.buffer += packet.payload
        while record := connection.next_record(side):
            if record.content_type == APPLICATION_DATA and record.content:
                lines.append("\t" * (not packet.from_client) + record.content.hex())
    return [lines for _, lines in found.values()]


def test_every_record_is_byte_for_byte_what_tshark_opens(tmp_path: Path) -> None:
    paths = [path for path in CAPTURES if key_log(path) or b"CLIENT_" in path.read_bytes()]
    assert len(paths) > 10
    for suite in "", *OLD_SUITES:
        words = [(sender, f"{number} from the {sender}".encode()) for number in range(350) for sender in OTHER]
        (folder := tmp_path / (suite or "TLS 1.3")).mkdir()
        spoken, talk = speak(folder, suite, words=words), Talk(client=("192.0.2.1", len(paths)))
        paths.append(folder / "made.pcap")
        paths[-1].write_bytes(pcap([*talk.open(), *packets_of(talk, spoken.flights), *talk.close()]))
        paths[-1].with_suffix(".keys").write_text(spoken.key_log)
    logs = [log.read_text() for log in map(key_log, paths) if log]
    (tmp_path / "all.keys").write_text("".join(logs))
    ours = [lines for path in paths for lines in opened(path)]
    follow = [part for number in range(len(ours)) for part in ("-z", f"follow,tls,raw,{number}")]
    options = "-o", f"tls.keylog_file:{tmp_path / 'all.keys'}", "-d", "tcp.port==80,tls", "-q"
    theirs = tshark("-r", merged(tuple(paths)), *options, *follow).split("Node 0: ")[:0:-1]  # the last one comes first
    # Node 0 is whoever tshark heard first, which may be the server; what it says has no tab.
    turned = [bool(re.match(r".*:(443|80)\n", each)) for each in theirs]
    lines = [re.findall(r"(?m)^(\t?)([0-9a-f]+)$", each) for each in theirs]
    assert ours == [
        ["\t" * (bool(tab) is not server_first) + data for tab, data in each]
        for server_first, each in zip(turned, lines, strict=True)
    ]
    assert sum(map(len, ours)) > 3000
