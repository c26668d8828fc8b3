# SPDX-License-Identifier: GPL-2.0-or-later
"""Open pages in a real headless Chromium, wait for each until it says that it has finished, close the browser.

    python tools/browse.py http://192.0.2.1/polling
    python tools/browse.py "https://192.0.2.1/#helo<lo"

Prints what the pages wrote into their `log`, or what they received, as one JSON list. What stands behind # is typed
into its page when that sets `typing`; "<" is Backspace, and Enter comes last. The browser has a profile of its own that
is deleted afterwards.
"""

import json
import random
import shutil
import sys
from urllib.parse import urldefrag, urlsplit

from playwright.sync_api import Page, sync_playwright

# The first three keep the browser from talking to anybody but the page's server.
_ARGUMENTS = "--disable-background-networking --disable-component-update --no-proxy-server --no-sandbox".split()
# It treats the page as it would over TLS, as nearly every page is now: without this a request has no Sec-Fetch and no
# Sec-CH-UA fields.
_TRUST = "--unsafely-treat-insecure-origin-as-secure="
_LEFT_HAND = "qwertasdfgzxcvb"


def keys_of(text: str) -> list[str]:
    """The names of the keys that type a text."""
    return [{"<": "Backspace"}.get(one, one) for one in text] + ["Enter"]


def _type(page: Page, text: str) -> None:
    """Press the keys with gaps as people have them: longer before a word and between fingers of one hand.

    Whoever sees a mistake stops for a moment. The gaps are the same each time.
    """
    rng, keys = random.Random(13), keys_of(text)
    page.wait_for_timeout(500)
    for key, following in zip(keys, [*keys[1:], "Enter"], strict=True):
        page.keyboard.press(key, delay=rng.uniform(40, 80))
        gap = 130 if (key in _LEFT_HAND) is (following in _LEFT_HAND) else 80
        if key == " " or (following == "Backspace") is not (key == "Backspace"):
            gap = 420
        page.wait_for_timeout(gap * rng.lognormvariate(0, 0.2))


def browse(*urls: str) -> list[object]:
    """Return what the pages at `urls` noted. Raises playwright's TimeoutError after 30 seconds."""
    trusted = _TRUST + ",".join(f"http://{urlsplit(url).netloc}" for url in urls)
    arguments = [*_ARGUMENTS, "--ignore-certificate-errors", trusted]  # certificates are made on the spot
    noted: list[object] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page()
        for url in urls:
            page.goto(url)
            if text := urldefrag(url).fragment:
                page.wait_for_function("typing")
                _type(page, text)
            page.wait_for_function("finished")
            noted += page.evaluate("typeof log === 'undefined' ? received : log")
        browser.close()
    return noted


if __name__ == "__main__":
    print(json.dumps(browse(*sys.argv[1:])))
