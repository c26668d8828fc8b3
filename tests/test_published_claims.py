# SPDX-License-Identifier: GPL-2.0-or-later
"""The published sums come out as they were printed, from heads that our own parser reads."""

import pytest

from wsedu import Request, Response
from wsedu.model import published_claims as claims


def test_the_heads_of_2010() -> None:
    heads = claims.REQUEST_2010, claims.RESPONSE_2010
    assert [claims.printed_characters(head) for head in heads] == [692, 179]
    assert [len(head) for head in heads] == [716, 193]
    request, used = Request.parse(heads[0])
    assert used == 716 and request.target == "/PollingStock//PollingStock"
    response, used = Response.parse(heads[1], strict=False)
    assert used == 193 and response.get("Content-Length") == str(claims.CONTENT_2010)


# Bytes of each update, and "Mbps" as the comparison prints them, for 1,000, 10,000 and 100,000 updates a second.
PRINTED = [(871, ("6.6", "66", "665")), (2, ("0.015", "0.153", "1.526"))]


@pytest.mark.parametrize("size, printed", PRINTED)
def test_the_table_of_2010_is_in_binary_megabits(size: int, printed: tuple[str, ...]) -> None:
    for clients, said in zip((1_000, 10_000, 100_000), printed, strict=True):
        rate, digits = claims.megabits(size * clients), len(said.partition(".")[2])
        assert f"{rate.binary:.{digits}f}" == said != f"{rate.decimal:.{digits}f}"


def test_one_wire_counted_in_three_ways() -> None:
    counted = [tuple(sizes.values()) for sizes in claims.counted_2010().values()]
    assert counted == [(871, 2), (716 + 193 + 21, 23), (716 + 193 + 21 + 3 * 66, 23 + 2 * 66)]
    assert str(claims.megabits(871_000)) == "6.968 decimal or 6.645 binary Mbit/s"


def test_the_sum_of_2013_is_in_decimal_megabits() -> None:
    polls = claims.CLIENTS_2013 / claims.GAP_2013
    assert round(claims.megabits(claims.POLL_2013 * polls).decimal, 2) == 1.13 and round(polls) == 167
