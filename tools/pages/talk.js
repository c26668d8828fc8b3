// SPDX-License-Identifier: GPL-2.0-or-later
function send(socket, data) {
  const before = socket.bufferedAmount;
  socket.send(data);
  note("send", {...said(data), bufferedAmount: [before, socket.bufferedAmount]});
}

function close(socket, ...codeAndReason) {
  socket.close(...codeAndReason);
  note("close", {arguments: codeAndReason, readyState: socket.readyState});
}
