// SPDX-License-Identifier: GPL-2.0-or-later
// The race: a track for each way, in which a dot goes for each request and each update, and a bar of bytes that grows. The
// kernel says a few times a second how far they are; all that moves is drawn here. It stands behind byte_pane.js
// and kernel.js.

// Of each number its label, the least and the most that it may be, and whether it is whole.
const NUMBERS = {
  updates: ["updates", 2, 2000, true],
  rate: ["updates a second", 0.1, 100, false],
  poll_gap: ["seconds to next poll", 0.01, 10, false],
  payload: ["bytes of an update", 5, 4096, true],
};
const TAKES = 700; // milliseconds that a dot is seen
const LOOK = 200; // milliseconds between two words of the kernel, about
const DOTS = 40; // that begin in a track at once
const AGO = ["the race before", "the one before that"];
const HINT =
  "Set the controls, press Start: each way delivers the same news to a client of its own, until Stop. While they " +
  "run, the controls are locked. TCP/IP in these bytes is modelled by the relay that records.";

const number = (value) => value.toLocaleString("en");
const inWords = (given) =>
  `${number(given.updates)} updates of ${number(given.payload)} bytes, ${given.rate} a second, ` +
  `a poll every ${given.poll_gap} s, ${given.head} head`;

// The smallest round number that is not less.
function round(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((times) => power * times >= least);
}

class Track {
  constructor(name, looks) {
    this.looks = looks;
    this.wire = make("div", { class: "wsedu-wire", "aria-hidden": "true" });
    this.bar = make("div", { class: "wsedu-grows" });
    this.ghosts = AGO.map((_, i) => make("div", { class: `wsedu-ghost wsedu-ghost-${i}` }));
    this.cells = [0, 1, 2, 3].map(() => make("td", { text: "–" }));
    const cell = make("td", { class: "wsedu-track" }, this.wire, this.bar, ...this.ghosts);
    this.row = make("tr", {}, make("th", { scope: "row", text: name }), cell, ...this.cells);
  }

  show(way, axis) {
    const before = this.last;
    this.last = way;
    this.bar.replaceChildren(
      ...(way?.kinds ?? []).filter(([, count]) => count).map(([kind, count]) => {
        const look = this.looks[kind ?? ""];
        return make("div", { style: `${look.style};width:${(100 * count) / axis}%`, title: `${look.label} ${number(count)}` });
      }),
    );
    const delay = way?.delay ?? null;
    const texts = way ? [number(way.received), number(way.requests), number(way.bytes)] : ["–", "–", "–"];
    [...texts, delay === null ? "–" : `${delay.toFixed(1)} ms`].forEach((text, i) => (this.cells[i].textContent = text));
    if (!way || !before || way.requests < before.requests || way.received < before.received) return;
    const news = way.kinds.some(([kind, count]) => kind === "payload" && count) ? "payload" : "content";
    this.dots(way.requests - before.requests, "http head", "wsedu-asks");
    this.dots(way.received - before.received, news, "wsedu-brings");
  }

  // So many dots, one after the other, in the time until the kernel speaks again.
  dots(count, kind, side) {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (let i = 0; i < Math.min(count, DOTS); i++) {
      const dot = make("span", { class: side, style: this.looks[kind].style });
      this.wire.append(dot);
      const way = side === "wsedu-asks" ? ["0%", "100%"] : ["100%", "0%"];
      const options = { duration: TAKES, delay: (i * LOOK) / count, fill: "backwards" };
      dot.animate({ left: way }, options).finished.then(() => dot.remove(), () => dot.remove());
    }
  }
}

class RaceView {
  constructor(model) {
    this.model = model;
    this.waits = null; // what the kernel was asked and has not answered
    this.build();
    this.draw = this.draw.bind(this);
    this.kernel = new KernelQuestions(model, (why) => this.silent(why));
    model.on("change:now", this.draw);
    model.on("change:ghosts", this.draw);
    this.draw();
  }

  build() {
    const chosen = this.model.get("chosen");
    this.inputs = Object.fromEntries(
      Object.entries(NUMBERS).map(([name, [, least, most, whole]]) => {
        const input = make("input", { type: "number", min: least, max: most, step: whole ? 1 : "any" });
        input.value = chosen[name];
        input.addEventListener("change", () => this.inside(name));
        return [name, input];
      }),
    );
    this.inputs.head = make("select", {}, ...this.model.get("heads").map((head) => make("option", { text: head })));
    this.inputs.head.value = chosen.head;
    const label = (name) => NUMBERS[name]?.[0] ?? "request head";
    this.settings = make("fieldset", { class: "wsedu-settings" });
    for (const [name, input] of Object.entries(this.inputs))
      this.settings.append(make("label", {}, make("span", { text: label(name) }), input));
    this.button = make("button", { type: "button", text: "Start" });
    this.button.addEventListener("click", () => this.press());
    this.state = make("div", { role: "status", class: "wsedu-state" });
    const looks = this.model.get("looks");
    this.tracks = this.model.get("ways").map((name) => new Track(name, looks));
    this.axis = make("td", { class: "wsedu-axis" });
    const heads = ["received", "requests", "bytes", "median delay"].map((text) => make("th", { scope: "col", text }));
    const ends = make("div", { class: "wsedu-ends2" }, make("span", { text: "client" }), make("span", { text: "server" }));
    const head = make("tr", {}, make("td"), make("th", { scope: "col" }, ends), ...heads);
    const foot = make("tr", {}, make("th", { scope: "row", text: "bytes" }), this.axis, make("td", { colspan: 4 }));
    const table = make("table", {}, head, ...this.tracks.map((track) => track.row), foot);
    this.before = make("div", { class: "wsedu-before" });
    const legend = make("div", { class: "wsedu-hint" });
    for (const [kind, look] of Object.entries(looks))
      if (kind && kind !== "masking key") // which a bill counts with the frame header
        legend.append(make("span", { class: "wsedu-chip", style: look.style, text: look.label }), " ");
    legend.append("■ ► a request, ● ◄ an update");
    this.root = make("div", { class: "wsedu-explorer wsedu-race" });
    const hint = make("div", { class: "wsedu-hint", text: HINT });
    const act = make("div", { class: "wsedu-act" }, this.button, this.state);
    this.root.append(hint, this.settings, act, legend, make("div", { class: "wsedu-wide", tabindex: 0 }, table), this.before);
  }

  // A number within its limits.
  inside(name) {
    const [, least, most, whole] = NUMBERS[name];
    const input = this.inputs[name];
    const value = Number.isFinite(input.valueAsNumber) ? input.valueAsNumber : this.model.get("chosen")[name];
    input.value = Math.max(least, Math.min(whole ? Math.round(value) : value, most));
    return +input.value;
  }

  press() {
    const running = this.model.get("now").state === "Running";
    const chosen = { head: this.inputs.head.value };
    for (const name of Object.keys(NUMBERS)) chosen[name] = this.inside(name);
    this.waits = running ? "stop" : "start";
    this.draw();
    const heard = () => {
      this.waits = null;
      this.draw();
    };
    const failed = (why) => {
      heard();
      this.silent(why);
    };
    const given = new TextEncoder().encode(JSON.stringify(chosen));
    this.kernel.ask(this.waits, given, { answered: heard, waits: (why) => this.silent(why), failed });
  }

  silent(why) {
    this.state.textContent = why;
  }

  draw() {
    const now = this.model.get("now");
    const ghosts = this.model.get("ghosts");
    const running = now.state === "Running";
    this.button.textContent = running ? "Stop" : "Start";
    this.settings.disabled = running || this.waits === "start";
    const axis = now.axis ? round(1.2 * now.axis) : 1;
    this.axis.replaceChildren(...(now.axis ? [0, 0.5, 1] : []).map((share) => make("span", { text: number(axis * share) })));
    this.tracks.forEach((track, i) => {
      track.show(now.ways?.[i], axis);
      track.ghosts.forEach((ghost, ago) => {
        const share = ghosts[ago] ? ghosts[ago].ways[i].bytes / axis : 0;
        ghost.style.cssText = share ? `width:${100 * share}%` : "visibility:hidden";
      });
    });
    this.before.replaceChildren(
      ...AGO.map((name, ago) => {
        const ghost = ghosts[ago];
        const mark = make("span", { class: `wsedu-ghost wsedu-ghost-${ago}` });
        const text = ghost ? `${name}, ${ghost.state.toLowerCase()}: ${inWords(ghost.settings)}` : "";
        return make("div", { title: text }, ...(ghost ? [mark, text] : []));
      }),
    );
    this.say(now);
    clearTimeout(this.timer);
    if (running) this.timer = setTimeout(() => this.silent(BUSY), PATIENCE); // it speaks without being asked
  }

  say(now) {
    if (this.waits === "start") this.state.textContent = "Starting …";
    else if (!now.ways) this.state.textContent = now.state ?? "";
    else {
      const said = [make("b", { text: `${now.state}: ` })];
      said.push(`${number(now.published)} of ${number(now.settings.updates)} updates published. ${inWords(now.settings)}.`);
      const sizes = now.ways.map((way) => way.bytes);
      const [most, least] = [Math.max(...sizes), Math.min(...sizes)];
      const name = (size) => now.ways[sizes.indexOf(size)].name;
      if (now.state !== "Running" && least)
        said.push(` ${name(most)} took ${(most / least).toFixed(1)} times the bytes of ${name(least)}.`);
      for (const way of now.ways) if (way.error) said.push(` ${way.name}: ${way.error}.`);
      this.state.replaceChildren(...said);
    }
  }

  remove() {
    clearTimeout(this.timer);
    this.model.off("change:now", this.draw);
    this.model.off("change:ghosts", this.draw);
    this.kernel.close();
  }
}

function render({ model, el }) {
  const view = new RaceView(model);
  return inPlaceOfTwin(model, el, view.root, () => view.remove());
}

export default { render };
