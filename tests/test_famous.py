# SPDX-License-Identifier: GPL-2.0-or-later
"""The famous sums come out as they were printed, from heads that our own parser reads."""

from __future__ import annotations

import pytest

from wsedu import Request, Response
from wsedu.model.published_claims import (
    CLIENTS,
    CLIENTS_2013,
    CONTENT_2010,
    GAP_2013,
    POLL_2013,
    PRINTED_2010,
    REQUEST_2010,
    RESPONSE_2010,
    megabits,
    printed_characters,
)


def test_the_heads_of_2010() -> None:
    assert (printed_characters(REQUEST_2010), printed_characters(RESPONSE_2010)) == (692, 179)
    assert (len(REQUEST_2010), len(RESPONSE_2010)) == (716, 193)
    request, used = Request.parse(REQUEST_2010)
    assert used == len(REQUEST_2010) and request.target == "/PollingStock//PollingStock"
    response, used = Response.parse(RESPONSE_2010, strict=False)
    assert used == len(RESPONSE_2010) and dict(response.fields)["Content-Length"] == str(CONTENT_2010)


@pytest.mark.parametrize("way, size, digits", [("polling", 871, (1, 0, 0)), ("websocket", 2, (3, 3, 3))])
def test_the_table_of_2010_is_in_binary_megabits(way: str, size: int, digits: tuple[int, ...]) -> None:
    for clients, printed, after in zip(CLIENTS, PRINTED_2010[way], digits, strict=True):
        assert round(megabits(size * clients).binary, after) == printed
        assert round(megabits(size * clients).decimal, after) != printed


def test_the_sum_of_2013_is_in_decimal_megabits() -> None:
    rate = megabits(POLL_2013 * CLIENTS_2013 / GAP_2013)
    assert round(rate.decimal, 2) == 1.13
    assert round(CLIENTS_2013 / GAP_2013) == 167
