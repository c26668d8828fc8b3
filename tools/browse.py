# SPDX-License-Identifier: GPL-2.0-or-later
"""Open pages in a real headless Chromium, wait for each until it says that it has finished, close the browser.

    python tools/browse.py http://192.0.2.1/polling

Prints what the pages wrote into their `log`, or what they received, as one JSON list. The browser has a profile of its
own that is deleted afterwards.
"""

import json
import shutil
import sys
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

# The first three keep the browser from talking to anybody but the page's server.
_ARGUMENTS = "--disable-background-networking --disable-component-update --no-proxy-server --no-sandbox".split()
# It treats the page as it would over TLS, as nearly every page is now: without this a request has no Sec-Fetch and no
# Sec-CH-UA fields.
_TRUST = "--unsafely-treat-insecure-origin-as-secure="


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
            page.wait_for_function("finished")
            noted += page.evaluate("typeof log === 'undefined' ? received : log")
        browser.close()
    return noted


if __name__ == "__main__":
    print(json.dumps(browse(*sys.argv[1:])))
