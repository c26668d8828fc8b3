// SPDX-License-Identifier: GPL-2.0-or-later
async function story() {
  note("page", {origin, cookie: document.cookie});
  for (const path of ["account", "account/checked"]) {
    await next(open("ws://192.0.2.1/" + path), "close");
  }
}
