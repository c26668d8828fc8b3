# SPDX-License-Identifier: GPL-2.0-or-later
"""Count what is in the captures with tshark, and keep the table in data/README.md true.

python tools/describe_captures.py            print the table
python tools/describe_captures.py --write    put it into data/README.md
"""

import argparse
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

DATA = Path(__file__).resolve().parent.parent / "data"
README = DATA / "README.md"
MARKS = "<!-- measured by tools/describe_captures.py -->\n", "<!-- end of what was measured -->\n"

_FIELDS = (
    "frame.time_epoch", "tcp.stream", "http.request.method", "http.response.code",
    "websocket.opcode", "http.user_agent", "http.server", "http2.headers.method", "http2.headers.status",
    "http2.headers.user_agent", "http2.headers.server", "_ws.col.Protocol",
)  # fmt: skip
_OPCODES = {"0": "continuation", "1": "text", "2": "binary", "8": "close", "9": "ping", "10": "pong"}
_OVER = {"TLSv1.2", "TLSv1.3", "HTTP2"}


def captures() -> list[Path]:
    """The captures in data/, by name."""
    return sorted(path for path in DATA.iterdir() if path.suffix in (".pcap", ".pcapng"))


def table(tshark: Callable[..., str]) -> str:
    """The table for the README; `tshark` runs tshark with its arguments and returns its stdout."""
    head = ("file", "bytes", "recorded (UTC)", "packets", "connections", "over", "requests", "responses", "frames",
            "client", "server")  # fmt: skip
    rule = ("---", "--:", "---", "--:", "--:", "---", "---", "---", "---", "---", "---")
    rows = [head, rule, *(_row(path, tshark) for path in captures())]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def reading(path: Path) -> tuple[str | Path, ...]:
    """The options with which tshark reads a capture, with the key log beside it, if there is one."""
    keys = path.with_suffix(".keys")
    # A client's port may be one that tshark takes for another protocol (57000 is IRC to it).
    options = "-d", "tcp.port==8765,http", "-o", "tcp.reassemble_out_of_order:TRUE"
    return "-r", path, *options, *(("-o", f"tls.keylog_file:{keys}") if keys.exists() else ())


def _row(path: Path, tshark: Callable[..., str]) -> tuple[str, ...]:
    options = [part for name in _FIELDS for part in ("-e", name)]
    output = tshark("-n", *reading(path), "-T", "fields", "-E", "aggregator=|", *options)
    packets = [line.split("\t") for line in output.splitlines()]
    columns = {
        name: [one for value in values for one in value.split("|") if one]
        for name, values in zip(_FIELDS, zip(*packets, strict=True), strict=True)
    }
    first = datetime.fromtimestamp(float(columns["frame.time_epoch"][0]), UTC)
    return (
        path.name,
        f"{path.stat().st_size:,}",
        f"{first:%Y-%m-%d %H:%M}",
        str(len(packets)),
        str(len(set(columns["tcp.stream"]))),
        ", ".join(sorted(_OVER & set(columns["_ws.col.Protocol"]), reverse=True)) or "TCP",
        _counted(columns["http.request.method"] + columns["http2.headers.method"]),
        _counted(columns["http.response.code"] + columns["http2.headers.status"]),
        _counted([_OPCODES[opcode] for opcode in columns["websocket.opcode"]]),
        _programs(columns["http.user_agent"] + columns["http2.headers.user_agent"]),
        _programs(columns["http.server"] + columns["http2.headers.server"]),
    )


def _counted(values: list[str]) -> str:
    counts = Counter(values).most_common()
    return ", ".join(f"{count} × {value}" for value, count in counts) or "none"


def _programs(values: list[str]) -> str:
    """The programs that User-Agent or Server fields name: of a browser's many names only its own."""
    names = dict.fromkeys(re.sub(r".*(HeadlessChrome/\d+).*", r"\1", value) for value in values)
    return ", ".join(names) or "says no name"


def _run_tshark(*args: str | Path) -> str:
    return subprocess.run(["tshark", *map(str, args)], capture_output=True, text=True, check=True).stdout


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Count what is in the captures.")
    parser.add_argument("--write", action="store_true", help="put the table into data/README.md")
    text = table(_run_tshark)
    if not parser.parse_args().write:
        print(text, end="")
        return
    marked = r"(?s)(?<={}).*(?={})".format(*MARKS)
    README.write_text(re.sub(marked, lambda _: text, README.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
