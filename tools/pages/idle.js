// SPDX-License-Identifier: GPL-2.0-or-later
async function story() {
  await next(open("ws://192.0.2.1/silent"), "close");
  await next(open("ws://192.0.2.1/pinged"), "close");
  const socket = open("ws://192.0.2.1/page-speaks");
  await next(socket, "open");
  for (let count = 1; count <= 6; count++) {
    await new Promise((done) => setTimeout(done, 400));
    send(socket, "still here " + count);
  }
  close(socket, 1000);
  await next(socket, "close");
}
