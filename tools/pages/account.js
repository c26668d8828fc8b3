// SPDX-License-Identifier: GPL-2.0-or-later
async function story() {
  note("page", {origin, cookie: document.cookie});
  await next(open("ws://192.0.2.1/account/checked"), "close");
}
