// SPDX-License-Identifier: GPL-2.0-or-later
const log = [];  // what this page did and saw, in order
let finished = false;

function note(what, more) {
  log.push({ms: Math.round(performance.now()), what, ...more});
}

function said(data) {
  if (typeof data === "string") return {length: data.length, text: data.slice(0, 60)};
  const bytes = new Uint8Array(data);
  return {length: bytes.length, bytes: Array.from(bytes)};
}

function open(url, protocols = []) {
  const socket = new WebSocket(url, protocols);
  const state = () => ({readyState: socket.readyState});
  const agreed = () => ({...state(), extensions: socket.extensions, protocol: socket.protocol});
  note("new WebSocket", {url, ...agreed()});
  socket.binaryType = "arraybuffer";
  socket.onopen = () => note("onopen", agreed());
  socket.onmessage = ({data}) => note("onmessage", said(data));
  socket.onerror = () => note("onerror", state());
  socket.onclose = ({code, reason, wasClean}) => note("onclose", {...state(), code, reason, wasClean});
  return socket;
}

function next(socket, kind) {
  return new Promise((done) => socket.addEventListener(kind, done, {once: true}));
}
