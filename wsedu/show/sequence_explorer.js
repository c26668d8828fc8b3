// SPDX-License-Identifier: GPL-2.0-or-later
// The ladder to touch: messages as arrows between client and server. The kernel is asked for what is seen and for what
// is opened, and for nothing else. It stands behind byte_pane.js and kernel.js.

const MESSAGE_HEIGHT = 30; // pixels
const MOST = 10; // rows that are seen at once
const CHUNK = 100; // messages that are asked for at once
const REST = 60; // milliseconds that the rows must rest before they are asked for
const SAY = {
  hint: "Point and click, or Tab to the messages: the arrow keys, Home and End move, Enter opens a message or unfolds " +
    "what repeats itself, Escape closes.",
  none: "The packets that carried it are not known.",
  shut: "Here a message opens: its bytes, and the packets that carried it.",
};

// Messages and folds as rows, from the stretches that the kernel sends: first, shown, folded, text.
function rowsOf(stretches) {
  const rows = [];
  for (const [first, shown, folded, text] of stretches) {
    for (let i = first; i < first + shown; i++) rows.push({ message: i, level: 1 });
    if (folded) rows.push({ from: first + shown, count: folded, text, level: 1, open: false });
  }
  return rows;
}

class SequenceView {
  constructor(model) {
    this.model = model;
    this.looks = model.get("looks");
    this.known = new Map(model.get("first").map((message, i) => [i, message]));
    this.asked = new Set([0]);
    this.roots = rowsOf(model.get("stretches"));
    this.open = [];
    this.kernel = new KernelQuestions(model, (why) => this.tell(why));
    this.build();
  }

  build() {
    const [client, server] = this.model.get("ends");
    const all = this.roots.reduce((sum, row) => sum + 1 + (row.count ?? 0), 0);
    this.rows = new TreeRows({
      label: `messages between ${client} and ${server}`,
      height: MESSAGE_HEIGHT,
      most: MOST,
      least: Math.min(all, MOST), // as high as when all is unfolded: nothing below moves
      fill: (row) => this.fill(row),
      choose: (row) => this.choose(row),
      key: (key, row) => this.key(key, row),
    });
    this.rows.box.classList.add("wsedu-messages");
    this.rows.box.addEventListener("scroll", () => this.fetch());
    this.rows.box.addEventListener("click", (event) => {
      const row = event.target.closest("[role=treeitem]")?.item;
      if (!row) return;
      this.rows.mark(row); // and no more: what is under the pointer stays there
      this.act(row, false);
    });
    this.opened = make("div", { class: "wsedu-opened" });
    this.opened.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      this.close();
      event.preventDefault();
      event.stopPropagation();
    });
    const ends = make("div", { class: "wsedu-ends" });
    for (const text of ["seconds", client, server, "bytes"]) ends.append(make("span", { text, title: text }));
    const legend = make("div", { class: "wsedu-hint" });
    for (const [kind, look] of Object.entries(this.looks))
      if (kind) legend.append(make("span", { class: "wsedu-chip", style: look.style, text: look.label }), " ");
    const hint = make("div", { class: "wsedu-hint", text: SAY.hint });
    const wide = make("div", { class: "wsedu-wide" }, make("div", {}, ends, this.rows.box));
    this.root = make("div", { class: "wsedu-explorer" }, hint, legend, wide, this.opened);
    wheelPasses(this.opened);
    this.close();
    this.show(this.roots[0]);
    if (this.roots.length) this.act(this.roots[0], false); // its place is kept for it, so it need not be empty
  }

  // What is open unfolds beneath its row.
  show(current, reveal = true) {
    const items = [];
    for (const row of this.roots) {
      items.push(row);
      if (row.open) {
        row.inside ??= Array.from({ length: row.count }, (_, i) => ({ message: row.from + i, level: 2, fold: row }));
        for (const one of row.inside) items.push(one);
      }
    }
    this.rows.show(items, current);
    if (reveal) this.rows.reveal(current?.open ? current.count : 0);
    this.fetch();
  }

  fill(row) {
    if (row.message === undefined) {
      const text = `${row.open ? "▾" : "▸"} ${row.text}`;
      return [make("span", { class: "wsedu-time" }), this.arrow(make("span", { class: "wsedu-fold", text })), make("span", { class: "wsedu-size" })];
    }
    const message = this.known.get(row.message);
    if (!message) return [make("span", { class: "wsedu-fold", text: `message ${(row.message + 1).toLocaleString("en")} …` })];
    const [sender, time, text, size, kinds] = message;
    const shaft = make("div", { class: "wsedu-shaft", "aria-hidden": "true" });
    for (const [kind, count] of kinds) {
      const look = this.looks[kind ?? ""];
      shaft.append(make("div", { style: `${look.style};width:${(100 * count) / (size || 1)}%`, title: `${look.label} ${count}` }));
    }
    const said = make("samp", { text, dir: "auto" });
    const head = (mark) => make("span", { "aria-hidden": "true", text: mark });
    const way = sender === "client" ? [said, shaft, head("►")] : [head("◄"), shaft, said];
    const arrow = this.arrow(...way);
    arrow.title = `${sender}: ${text}`;
    return [
      make("span", { class: "wsedu-time", text: time.toFixed(3) }),
      make("span", { class: "wsedu-hidden", text: `from the ${sender} ` }),
      arrow,
      make("span", { class: "wsedu-size", text: size.toLocaleString("en") }),
    ];
  }

  arrow(...inside) {
    return make("span", { class: "wsedu-arrow" }, ...inside);
  }

  choose(row) {
    this.rows.mark(row);
    this.rows.reveal();
    this.fetch();
  }

  key(key, row) {
    if (key === "Enter" || key === " ") this.act(row, true);
    else if (key === "Escape") this.close();
    else if (key === "ArrowRight" && row.open === false) this.fold(row);
    else if (key === "ArrowLeft" && (row.open || row.fold)) this.fold(row.fold ?? row);
    else return false;
    return true;
  }

  // By keyboard the focus goes to what opens, and by pointer nothing scrolls.
  act(row, keyboard) {
    if (row.message === undefined) return this.fold(row, keyboard);
    this.ask("message", row.message, (said, data) => this.openMessage(said, data, keyboard));
  }

  fold(row, reveal = true) {
    row.open = !row.open;
    this.show(row, reveal);
  }

  // Ask for the messages that are seen and not known yet, once the rows have come to rest.
  fetch() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const [first, end] = this.rows.seen;
      for (const row of this.rows.items.slice(first, end)) {
        const chunk = Math.floor((row.message ?? row.from) / CHUNK);
        if (row.message === undefined || this.asked.has(chunk)) continue;
        this.asked.add(chunk);
        this.ask("messages", chunk * CHUNK, (messages) => {
          messages.forEach((message, i) => this.known.set(chunk * CHUNK + i, message));
          this.rows.draw();
        });
      }
    }, REST);
  }

  // Ask for what has this index. What is opened last is shown, whatever is answered before it.
  ask(what, index, answered) {
    const last = what === "messages" ? null : (this.last = {});
    const tell = (text) => this.tell(text);
    const bytes = Uint8Array.of(index >> 24, index >> 16, index >> 8, index);
    this.kernel.ask(what, bytes, {
      answered: (...said) => (!last || last === this.last) && answered(...said),
      waits: tell,
      failed: tell,
    });
  }

  tell(text) {
    this.opened.replaceChildren(make("div", { role: "alert", text }));
  }

  openMessage(said, data, focus) {
    this.open = [[said.side, data]];
    const packets = make("div", { class: "wsedu-packets" });
    packets.append(make("span", { text: said.packets.length ? `${said.carried}:` : SAY.none }));
    for (const [index, time, size] of said.packets) {
      const text = `packet ${index}, ${time.toFixed(3)} s, ${size.toLocaleString("en")} bytes`;
      const button = make("button", { type: "button", "aria-pressed": "false", text });
      button.addEventListener("click", () => {
        const pressed = button.getAttribute("aria-pressed") === "true";
        for (const each of packets.querySelectorAll("button")) each.setAttribute("aria-pressed", "false");
        button.setAttribute("aria-pressed", String(!pressed));
        this.open.length = 1;
        if (pressed) this.drawOpen();
        else this.ask("packet", index, (more, bytes) => this.openPacket(more, bytes));
      });
      packets.append(button);
    }
    this.maps = make("div", { class: "wsedu-panes" });
    const shut = make("button", { type: "button", text: "Close" });
    shut.addEventListener("click", () => this.close());
    const title = make("div", { class: "wsedu-title" }, make("b", { text: said.title }), " ", shut);
    this.opened.replaceChildren(title, packets, this.maps);
    this.drawOpen();
    this.opened.scrollTop = 0;
    if (focus) this.opened.querySelector(".wsedu-bytes").focus();
  }

  openPacket(said, data) {
    this.open = [this.open[0], [said.side, data]];
    this.drawOpen();
  }

  drawOpen() {
    const [sides, data] = [this.open.map((one) => one[0]), this.open.map((one) => one[1])];
    this.maps.replaceChildren(...panes(sides, this.looks, data).map((pane) => pane.root));
  }

  close() {
    const inside = this.opened.contains(document.activeElement);
    this.last = null;
    this.opened.replaceChildren(make("div", { class: "wsedu-hint", text: SAY.shut }));
    if (inside) this.rows.box.focus();
  }

  remove() {
    clearTimeout(this.timer);
    this.kernel.close();
  }
}

function render({ model, el }) {
  const view = new SequenceView(model);
  return inPlaceOfTwin(model, el, view.root, () => view.remove());
}

export default { render };
