# SPDX-License-Identifier: GPL-2.0-or-later
"""The cost slider: its numbers are the model's, its marks those of the file, whatever the controls say."""

from __future__ import annotations

import re

import pytest
from traitlets import HasTraits

from wsedu.lab import cost_slider
from wsedu.model.measured import held_against
from wsedu.show.controls import RangeSlider


def test_a_control_changes_the_numbers() -> None:
    slider = cost_slider()
    assert (
        "Clients 1,000, updates 1 a second, 27 bytes each: no keep-alive costs 8.5 times websocket"
        in slider.shown.value
    )
    before = slider.shown.value
    for control in (slider.clients, slider.rate, slider.payload):
        control.index += 1
        assert slider.shown.value != before
        before = slider.shown.value
    slider.head.value = "2009"
    assert slider.shown.value != before


def test_marks_are_what_was_measured() -> None:
    slider = cost_slider()
    measured = [row for row in held_against() if 26 < row.situation.payload < 28 and not row.situation.fixed]
    measured = [row for row in measured if row.way != "polling" or row.situation.poll_gap == 1]
    assert f"{len(measured)} measurements" in slider.shown.value
    slider.payload.index = slider.payload.options.index(125)
    assert "Nothing was measured" in slider.shown.value


def test_the_model_goes_through_the_marks() -> None:
    """The heads that the slider assumes are those that were measured."""
    slider = cost_slider()
    for way, points in slider._measured(slider.settings).items():
        for rate, measured in points:
            slider.rate.options = (rate,)
            slider.rate.index = 0
            assert slider._cost(way, slider.settings) == pytest.approx(measured, rel=0.1), (way, rate)


def test_the_page_can_ask_for_no_value_that_is_not_there() -> None:
    control = RangeSlider("rate", (0.5, 1_000), 0.5, "bytes")
    assert isinstance(control, HasTraits) and control.shown == ["0.5 bytes", "1,000 bytes"]
    control.index = 99
    assert control.value == 1_000
    control.index = -1
    assert control.value == 0.5


def test_the_picture_says_what_it_shows() -> None:
    alt = re.search(r'<img [^>]*alt="([^"]*)"', cost_slider().shown.value)
    assert alt is not None and "websocket: from" in alt[1] and "20 points" in alt[1]
