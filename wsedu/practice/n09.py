# SPDX-License-Identifier: GPL-2.0-or-later
"""Notebook 09: the sums behind the bill."""

from .exercise import exercise


@exercise(
    "09",
    [(0.1, 1.0, 600), (1.0, 0.5, 871), (1.0, 1.0, 600), (5.0, 2.0, 871), (0.5, 10.0, 600), (0.25, 0.3, 1)],
    lambda rng: [(rng.uniform(0.01, 9), rng.uniform(1, 5), rng.randrange(200, 2000))],
    "the section “A model”",
    (lambda rate, gap, heads: float(heads), "an update is paid for by all the polls since the last one"),
    (lambda rate, gap, heads: heads * rate * gap, "fewer updates mean *more* polls for each, and so more heads"),
    (lambda rate, gap, heads: heads / min(1, rate * gap), "where a poll brings several updates, they share its head"),
    (lambda rate, gap, heads: heads / rate, "how many polls there are depends on the gap as well"),
    (lambda rate, gap, heads: heads / gap, "that is a second's worth of heads; how many updates share it?"),
)
def heads_per_update(rate: float, gap: float, heads: int) -> float:
    """Bytes of head that an update costs by polling: so many updates a second, so many seconds between polls."""
    return heads / (rate * gap)


@exercise(
    "09",
    [(1_000, 871, 1), (10_000, 850, 60), (1, 1, 60), (100_000, 871, 7)],
    lambda rng: [(rng.randrange(1, 99) * 1000, rng.randrange(2, 900), rng.randrange(2, 99))],
    "the section “The published tables”",
    (lambda clients, size, gap: clients * size * 8 / 2**20 / gap, "a megabit is 1,000,000 bits, not 1,048,576"),
    (lambda clients, size, gap: clients * size / 1e6 / gap, "megabits, not megabytes"),
    (lambda clients, size, gap: clients * size * 8 / 1e6, "each client asks once in a gap, not once a second"),
    (lambda clients, size, gap: clients * size * 8 / gap, "these are bits, not megabits"),
)
def mbit(clients: int, size: int, gap: int) -> float:
    """Megabits a second, decimal: so many clients, each with so many bytes once in so many seconds."""
    return clients * size * 8 / gap / 1e6


@exercise(
    "09",
    [(29, 2), (681, 3), (0, 1), (5, 1), (0, 0), (100_000, 90)],
    lambda rng: [(rng.randrange(1, 1400), rng.randrange(1, 9))],
    "notebook 08, “What Scapy sees”",
    (lambda application, packets: application + 66, "each packet has headers, also one that only acknowledges"),
    (lambda application, packets: application + 54 * packets, "TCP's timestamps take 12 bytes in each packet"),
    (lambda application, packets: application + 52 * packets, "Ethernet's header is missing: 14 bytes"),
    (lambda application, packets: application + 40 * packets, "that is IP and TCP without options; and Ethernet?"),
)
def on_the_wire(application: int, packets: int) -> int:
    """Bytes in packets, with the headers of Ethernet, IPv4 and TCP as in our captures."""
    return application + 66 * packets
