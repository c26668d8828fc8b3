// SPDX-License-Identifier: GPL-2.0-or-later
async function story() {
  const socket = open("ws://192.0.2.1/news", ["news.v2", "news.v1"]);
  await next(socket, "open");
  for (const text of ["Hello", "Hello"]) {
    send(socket, text);
    await next(socket, "message");
  }
  send(socket, "news, please");
  for (let updates = 0; updates < 3; updates++) await next(socket, "message");
  send(socket, new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7]));
  await next(socket, "message");
  send(socket, "all the news ".repeat(16000));
  await next(socket, "message");
  note("before close", {bufferedAmount: socket.bufferedAmount});
  close(socket, 1000, "all read");
  send(socket, "too late");
  await next(socket, "close");
}
