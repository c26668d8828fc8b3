// SPDX-License-Identifier: GPL-2.0-or-later
async function story() {
  for (const way of ["done", "going-away", "no-code", "no-close-frame", "too-big", "raises", "not-here"]) {
    const socket = open("ws://192.0.2.1/" + way);
    if (way === "too-big") socket.addEventListener("open", () => send(socket, "x".repeat(126)));
    await next(socket, "close");
  }
  const socket = open("ws://192.0.2.1/page-closes");
  await next(socket, "open");
  close(socket);
  await next(socket, "close");
}
