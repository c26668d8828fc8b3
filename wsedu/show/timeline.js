// SPDX-License-Identifier: GPL-2.0-or-later
// The ladder to scale with its play-head: over the picture, as Python has drawn it, this lays a line to drag, covers what
// is still to come, and lets the counters stand where the line stands. The kernel is asked for nothing. It stands behind
// byte_pane.js and kernel.js.

const SHORTEST = 4, LONGEST = 20; // seconds that it plays, however long it took

function render({ model, el }) {
  const play = make("button", { type: "button", text: "Play" });
  const range = make("input", { type: "range", min: 0, step: 0.01 });
  const shown = make("output");
  const label = make("label", {}, "play-head ", range, " ", shown);
  const picture = make("div", { class: "wsedu-drawn" });
  showPicture(picture, model.get("shown"));
  const stop = lay(model, picture.querySelector("table"), { play, range, shown });
  const playing = make("div", { class: "wsedu-playing" }, play, label);
  return inPlaceOfTwin(model, el, make("div", { class: "wsedu-explorer wsedu-timeline" }, playing, picture), stop);
}

// Lay the play-head over the table; gives what ends it.
function lay(model, table, { play, range, shown }) {
  const [seconds, height] = model.get("clock");
  const ways = Object.entries(model.get("ways"));
  range.max = Math.ceil(seconds * 100) / 100;
  const rows = [...table.rows];
  const wires = [...rows[1].cells];
  const counters = rows.slice(2).map((row) => [...row.cells].filter((cell) => cell.tagName === "TD"));
  const heads = wires.map((cell) => {
    const cover = make("div", { class: "wsedu-cover" });
    cell.style.position = "relative";
    cell.append(cover);
    return cover;
  });

  function at(time) {
    const now = Math.max(0, Math.min(time, +range.max));
    range.value = now;
    shown.textContent = `${(+range.value).toFixed(2)} s`;
    const sums = ways.map(([, packets]) => {
      const counts = counters.map(() => 0);
      for (const [when, ...added] of packets) if (when <= now) added.forEach((count, i) => (counts[i] += count));
      return counts;
    });
    counters.forEach((cells, i) => cells.forEach((cell, way) => (cell.textContent = sums[way][i].toLocaleString("en"))));
    const told = ways.map(([name], way) => `${name} ${sums[way][0]} bytes`).join(", ");
    range.setAttribute("aria-valuetext", `${shown.textContent}: ${told}`);
    // At the end nothing is to come, though the last packets are drawn beneath their time, as thick as they are.
    const top = now >= seconds ? "100%" : `${(now / seconds) * height}px`;
    for (const head of heads) head.style.top = top;
  }

  let playing = null;
  function stop() {
    cancelAnimationFrame(playing);
    playing = null;
    play.textContent = "Play";
  }
  play.addEventListener("click", () => {
    if (playing !== null) return stop();
    const lasts = Math.max(SHORTEST, Math.min(seconds, LONGEST)) * 1000;
    const from = +range.value >= seconds ? 0 : +range.value;
    const began = performance.now();
    play.textContent = "Pause";
    const step = (now) => {
      const time = from + (Math.max(0, now - began) / lasts) * seconds;
      at(time);
      if (time < +range.max) playing = requestAnimationFrame(step);
      else stop();
    };
    playing = requestAnimationFrame(step);
  });
  range.addEventListener("input", () => {
    stop();
    at(+range.value);
  });

  // By pointer: anywhere between the lines with a mouse; a finger there moves the page, and drags at the clock.
  const row = rows[1];
  const drag = (event) => at(((event.clientY - wires[1].firstChild.getBoundingClientRect().top) / height) * seconds);
  row.addEventListener("pointerdown", (event) => {
    if (event.button || (event.pointerType === "touch" && event.target.closest("td") !== wires[0])) return;
    event.preventDefault();
    row.setPointerCapture(event.pointerId);
    stop();
    drag(event);
  });
  row.addEventListener("pointermove", (event) => row.hasPointerCapture(event.pointerId) && drag(event));

  at(+range.max);
  return stop;
}

export default { render };
