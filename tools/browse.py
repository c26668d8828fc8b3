# SPDX-License-Identifier: GPL-2.0-or-later
"""Open one page in a real headless Chromium, wait until it says that it has finished, close the browser.

    python tools/browse.py http://192.0.2.1/polling

Prints what the page received as a JSON list. The browser has a profile of its own that is deleted afterwards.
"""

from __future__ import annotations

import json
import shutil
import sys
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

# The first three keep the browser from talking to anybody but the page's server. The last makes it treat the
# page as it would over TLS, as nearly every page is now: without it a request has no Sec-Fetch and no
# Sec-CH-UA fields.
_ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--no-proxy-server",
    "--no-sandbox",
    "--unsafely-treat-insecure-origin-as-secure=http://{host}",
)


def browse(url: str) -> list[str]:
    """Return what the page at `url` received. Raises playwright's TimeoutError after 30 seconds."""
    arguments = [argument.format(host=urlsplit(url).netloc) for argument in _ARGUMENTS]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
        page = browser.new_page()
        page.goto(url)
        page.wait_for_function("finished")
        received: list[str] = page.evaluate("received")
        browser.close()
    return received


if __name__ == "__main__":
    print(json.dumps(browse(sys.argv[1])))
