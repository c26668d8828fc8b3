// SPDX-License-Identifier: GPL-2.0-or-later
// What the widgets of bytes are made of: rows of which only those that are seen are in the page, and the byte map.
// Text from outside reaches the page through textContent only.

const WIDE = 16; // bytes in a row, where there is room for them and their text
const NARROW = 8; // elsewhere
const COLUMNS = 78; // characters that a wide row takes
const HEIGHT = 24; // pixels of a row of bytes
const SHOWN = 8; // rows of the window
const FIELDS = [5, 14]; // rows of the fields, at least and at most
const TALL = 560; // pixels that bytes, sentence and fields of a map take together, so that all of it is seen at once
const REST_OF_PANE = 180; // pixels of them that are title, sentence and margins

function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "style") node.style.cssText = value;
    else if (key === "text") node.textContent = value;
    else node.setAttribute(key, value);
  }
  node.append(...children);
  return node;
}

// A page that was exported leaves out the middle of long payloads: such a byte is undefined.
const hex = (byte) => byte?.toString(16).padStart(2, "0") ?? "··";
const printable = (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·");
const asBytes = (data) => (Array.isArray(data) ? data : new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
let numbers = 0; // for ids

// Show a widget, and hide the picture of the same that stands before it as soon as it is seen: the nearest one before it
// of the class that is its twin. Gives what ends it, and shows the picture again.
function inPlaceOfTwin(model, el, root, end = () => {}) {
  const twin = model.get("twin");
  let hidden = null;
  const seen = new ResizeObserver(() => {
    if (!twin || !el.isConnected) return;
    const before = (node) => node.compareDocumentPosition(el) & Node.DOCUMENT_POSITION_FOLLOWING;
    const picture = [...document.getElementsByClassName(twin)].filter(before).at(-1);
    hidden = picture?.closest(".jp-OutputArea-child") ?? picture; // in JupyterLab with its prompt and its margins
    if (hidden) hidden.style.display = "none";
    seen.disconnect();
  });
  el.replaceChildren(root);
  keepKeys(root);
  seen.observe(el);
  return () => {
    seen.disconnect();
    if (hidden) hidden.style.display = "";
    end();
  };
}

// Keys that are pressed inside a widget stay there: on the page around it JupyterLab deletes a cell on d d, and inserts
// one on b. What is pressed with Ctrl, Alt or Command is a command all the same, and Shift+Enter goes to the next cell.
// On a button, which has no use for them, the keys that go far would scroll the page, and the widget out of sight.
const isCommand = (event) => event.ctrlKey || event.metaKey || event.altKey || (event.shiftKey && event.key === "Enter");

function keepKeys(root) {
  root.addEventListener("keydown", (event) => {
    if (isCommand(event)) return;
    event.stopPropagation();
    if (event.target.matches("button, summary, a") && /^(Home|End|Page)/.test(event.key)) event.preventDefault();
  });
}

// A wheel over a box that is at its end moves the page: browsers keep it in the box where it began.
function wheelPasses(box) {
  const scrolls = (node) => node.scrollHeight > node.clientHeight && /auto|scroll/.test(getComputedStyle(node).overflowY);
  box.addEventListener(
    "wheel",
    (event) => {
      const { deltaY, deltaMode, ctrlKey, shiftKey } = event;
      const room = deltaY < 0 ? box.scrollTop : box.scrollHeight - box.clientHeight - box.scrollTop;
      if (!deltaY || ctrlKey || shiftKey || room >= 1) return;
      let outer = box.parentElement;
      while (outer && !scrolls(outer)) outer = outer.parentElement;
      (outer ?? document.scrollingElement).scrollBy(0, deltaY * (deltaMode ? 16 : 1));
      event.preventDefault();
    },
    { passive: false },
  );
}

// What a pointer is over, by mouse and by finger: `look(node, false)` while it moves, `look(node, true)` when it is
// clicked, and when a finger that swept over the box is lifted; `leave()` when it goes. Not a pointer under which the
// page scrolls, for the keyboard moved that.
function onPointer(box, look, leave) {
  let seen = "";
  const under = (event) => {
    const node = document.elementFromPoint(event.clientX, event.clientY); // a finger's events stay where it began
    return box.contains(node) ? node : null;
  };
  box.addEventListener("pointermove", (event) => {
    const place = `${event.screenX},${event.screenY}`;
    const node = place !== seen && under(event);
    if (node) look(node, false);
    seen = place;
  });
  box.addEventListener("click", (event) => look(event.target, true));
  box.addEventListener("pointerup", (event) => {
    const node = event.pointerType !== "mouse" && under(event);
    if (node && node !== event.target) look(node, true);
  });
  for (const gone of ["pointerleave", "pointercancel"]) box.addEventListener(gone, leave);
}

// Put text on the clipboard; where a page may not, as one that did not come over TLS, by way of a selection.
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const box = make("textarea", { style: "position:fixed;opacity:0" });
    const focus = document.activeElement;
    document.body.append(box);
    box.value = text;
    box.select();
    document.execCommand("copy");
    box.remove();
    focus?.focus();
  }
}

const COPIED_AS = {
  hex: (data) => Array.from(data, hex).join(" "),
  text: (data) => new TextDecoder().decode(Uint8Array.from(data)),
  Python: (data) => `bytes.fromhex("${Array.from(data, hex).join(" ")}")`,
};

// Words in the prose that are links to "#byte-opcode" light up that field in the next map that has it, or else in the
// last one before; a click pins it.
function lightWords() {
  if (document.wseduWords) return;
  document.wseduWords = true;
  const found = (event) => {
    const link = event.target.closest?.("a[href*='#byte-']");
    const name = link?.hash.slice("#byte-".length);
    const all = link ? [...document.querySelectorAll(".wsedu-pane")].map((root) => root.pane) : [];
    const maps = all.filter((pane) => pane.root.offsetParent && pane.named(name));
    const after = (pane) => link.compareDocumentPosition(pane.root) & Node.DOCUMENT_POSITION_FOLLOWING;
    const pane = maps.find(after) ?? maps.at(-1);
    return pane ? [pane, pane.named(name)] : [];
  };
  const light = (event, pin) => {
    const [pane, node] = found(event);
    pane?.light(node.start, node, { pin });
    return pane;
  };
  for (const over of ["mouseover", "focusin"]) document.addEventListener(over, (event) => light(event, false));
  for (const out of ["mouseout", "focusout"]) document.addEventListener(out, (event) => found(event)[0]?.leave());
  document.addEventListener(
    "click",
    (event) => {
      const pane = light(event, true);
      if (!pane) return;
      pane.root.scrollIntoView({ block: "nearest" });
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );
}

// A tree, drawn as rows of one height. `fill` gives what stands in an item's row; the focus stays on the box, and the
// current row is named to those who listen to the page.
class TreeRows {
  constructor({ label, height, most, least = 0, fill, choose, key }) {
    Object.assign(this, { height, most, least, fill, choose, items: [], current: -1 });
    this.name = `wsedu-rows-${numbers++}`;
    this.canvas = make("div", { style: "position:relative" });
    this.box = make("div", { class: "wsedu-rows", role: "tree", tabindex: "0", "aria-label": label }, this.canvas);
    this.box.addEventListener("scroll", () => this.draw());
    wheelPasses(this.box);
    this.box.addEventListener("keydown", (event) => {
      if (isCommand(event)) return;
      const last = this.items.length - 1;
      const to = {
        ArrowUp: this.current - 1, ArrowDown: this.current + 1, Home: 0, End: last,
        PageUp: Math.max(0, this.current - most), PageDown: Math.min(last, this.current + most),
      }[event.key];
      if (to !== undefined) {
        if (0 <= to && to <= last) choose(this.items[to]);
      } else if (!key(event.key, this.items[this.current])) {
        if (event.key.startsWith("Arrow")) event.stopPropagation(); // it scrolls what is wide
        return;
      }
      event.preventDefault();
      event.stopPropagation(); // JupyterLab has commands on the same keys
    });
  }

  // Show these items, each with its level, and whether it is open if it can be.
  show(items, current) {
    this.items = items;
    this.canvas.style.height = `${items.length * this.height}px`;
    this.box.style.height = `${Math.max(this.least, Math.min(items.length, this.most)) * this.height + 10}px`;
    this.mark(current);
  }

  // Make an item the current one.
  mark(current) {
    this.current = this.items.indexOf(current);
    this.draw();
  }

  // Scroll until the current row is seen, and of so many beneath it as many as there is room for.
  reveal(beneath = 0) {
    if (this.current < 0) return;
    const room = this.box.clientHeight - 10;
    const top = this.current * this.height;
    const least = Math.min(top, top + this.height * (1 + beneath) - room);
    this.box.scrollTop = Math.min(top, Math.max(this.box.scrollTop, least));
    this.draw();
  }

  // The rows that are seen.
  get seen() {
    const first = Math.max(0, Math.floor(this.box.scrollTop / this.height) - 1);
    return [first, Math.min(this.items.length, first + this.most + 3)];
  }

  draw() {
    const [first, end] = this.seen;
    const rows = this.items.slice(first, end).map((item, i) => this.row(item, first + i));
    this.canvas.replaceChildren(...rows);
    const row = rows.find((one) => one.classList.contains("wsedu-current"));
    if (row) this.box.setAttribute("aria-activedescendant", row.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  row(item, index) {
    const current = index === this.current;
    const row = make("div", {
      role: "treeitem",
      id: `${this.name}-${index}`,
      "aria-level": item.level,
      "aria-setsize": item.among ?? this.items.length,
      "aria-posinset": (item.place ?? index) + 1,
      "aria-selected": String(current),
      class: current ? "wsedu-item wsedu-current" : "wsedu-item",
      style: `top:${index * this.height}px;height:${this.height}px`,
    });
    if (item.open !== undefined) row.setAttribute("aria-expanded", String(item.open));
    row.append(...this.fill(item));
    row.item = item;
    return row;
  }
}

// The nodes of a tree, each with its way up; all of them go into `all` in the order in which a reader meets them.
function flatten(nodes, parent, level, all) {
  return nodes.map((node, place) => {
    const item = { ...node, parent, level, place, among: nodes.length };
    all.push(item);
    item.children = flatten(node.children || [], item, level + 1, all);
    item.open = item.children.length ? (node.open ?? level === 1) : undefined;
    return item;
  });
}

// What the bits of a byte say: those that say the same are named together, and of many only the set ones are explained.
function toldOf(bits) {
  const told = [];
  for (const { name, value, meaning } of bits) {
    const why = bits.length > 5 && value === "0" ? "" : meaning;
    const last = told.at(-1);
    if (last?.value === value && last.why === why) last.names.push(name);
    else told.push({ names: [name], value, why });
  }
  return told.map(({ names, value, why }) => `${names.join(", ")} = ${value}${why && ` (${why})`}`).join("; ");
}

function linkTo(section) {
  const rfc = /^RFC (\d+), ([\d.]+)$/.exec(section);
  if (!rfc) return section;
  const href = `https://www.rfc-editor.org/rfc/rfc${rfc[1]}#section-${rfc[2]}`;
  return make("a", { text: section, target: "_blank", rel: "noopener", href, style: "text-decoration:underline;white-space:nowrap" });
}

// The byte map: point at a byte and its field lights up, point at a field and its bytes do; a click keeps them lit, and
// the keyboard does the same. Everything stays in the browser: the kernel sends the bytes and their tree once.
class BytePane {
  constructor(side, looks, data, { moved = () => {}, left = () => {} } = {}) {
    Object.assign(this, { side, looks, data, moved, left, row: WIDE });
    this.nodes = [];
    this.roots = flatten(side.tree, null, 1, this.nodes);
    this.at = side.start || 0; // the current byte
    this.node = this.deepest(this.at); // the current field
    this.pinned = [this.at, this.node]; // what is shown again when the pointer has gone
    this.leaf = new Array(data.length);
    for (const node of this.nodes)
      if (!node.bits) for (let i = node.start; i < node.end; i++) this.leaf[i] = node;
    this.build();
  }

  // The innermost field that holds a byte; bits of a byte are reached through the tree.
  deepest(at) {
    let found = null;
    for (const node of this.nodes)
      if (node.start <= at && at < node.end && !node.bits && (!found || node.level >= found.level)) found = node;
    return found;
  }

  // The first field of a name, written as in a link.
  named(name) {
    return this.nodes.find((node) => node.name.toLowerCase().replace(/[^a-z0-9]+/g, "-") === name);
  }

  build() {
    this.grid = make("div", {
      class: "wsedu-bytes",
      tabindex: "0",
      role: "group",
      "aria-label": `bytes of ${this.side.name}: arrow keys move, Home and End go to the ends, Enter goes to the field`,
    });
    this.canvas = make("div", { style: "position:relative" });
    this.ruler = make("span", { class: "wsedu-ruler", "aria-hidden": "true", style: `width:${COLUMNS}ch` });
    this.grid.append(this.canvas, this.ruler);
    new ResizeObserver(() => this.fit()).observe(this.grid);
    this.said = make("div", { class: "wsedu-said", "aria-live": "polite" });
    this.tree = new TreeRows({
      label: `fields of ${this.side.name}`,
      height: HEIGHT,
      most: FIELDS[1],
      fill: (node) => this.field(node),
      choose: (node) => this.choose(node, true),
      key: (key, node) => this.treeKey(key, node),
    });
    this.size();
    this.root = make("div", { class: "wsedu-pane" }, this.title(), this.grid, this.said, this.tree.box);
    this.root.pane = this;
    this.grid.addEventListener("scroll", () => this.draw());
    wheelPasses(this.grid);
    wheelPasses(this.said);
    onPointer(this.grid, (target, pin) => this.pointed(target.dataset?.at, pin), () => this.leaveSoon());
    onPointer(this.tree.box, (target, pin) => this.pointedAtField(target, pin), () => this.leaveSoon());
    this.grid.addEventListener("keydown", (event) => this.bytesKey(event));
    this.openTo(this.node);
    this.drawTree();
    this.draw();
    this.say();
    if (this.at) requestAnimationFrame(() => this.show()); // its place is known once it is in the page
  }

  // The name, and what copies the bytes of the field that is lit.
  title() {
    const told = make("span", { class: "wsedu-hidden", role: "status" });
    const buttons = Object.entries(COPIED_AS).map(([name, form]) => {
      const button = make("button", { type: "button", text: name, title: "copy the bytes of the field that is lit" });
      button.addEventListener("click", async () => {
        const { start, end } = this.node ?? { start: this.at, end: this.at + 1 };
        await copyText(form(this.data.slice(start, end)));
        told.textContent = `copied ${end - start} bytes as ${name}`;
        button.classList.add("wsedu-done");
        setTimeout(() => button.classList.remove("wsedu-done"), 1200);
      });
      return button;
    });
    const name = make("span", {}, make("b", { text: this.side.name }), ` ${this.data.length.toLocaleString("en")} bytes`);
    return make("div", { class: "wsedu-title" }, name, make("span", { class: "wsedu-copy" }, "Copy as ", ...buttons, told));
  }

  pointed(at, pin) {
    if (at !== undefined && (pin || +at !== this.at)) this.go(+at, { pin, pointer: "bytes" });
  }

  pointedAtField(target, pin) {
    const node = target.closest("[role=treeitem]")?.item;
    if (node && pin) this.fold(node, !node.open, false);
    else if (node && node !== this.node) this.light(node.start, node, { pin, pointer: "fields" });
  }

  // Take as many bytes in a row as there is room for.
  fit() {
    const room = this.grid.clientWidth;
    const row = room && room < this.ruler.offsetWidth ? NARROW : WIDE;
    if (row === this.row) return;
    this.row = row;
    this.size();
    this.drawTree();
    this.first = undefined; // no row is as it was
    this.reveal();
    this.draw();
  }

  size() {
    const rows = Math.ceil(this.data.length / this.row) || 1;
    const tall = Math.min(rows, SHOWN) * HEIGHT + 14;
    this.grid.style.height = `${tall}px`;
    // The fields take what is left, whether they are folded or not: nothing moves under a pointer.
    const room = Math.floor((TALL - REST_OF_PANE - tall) / HEIGHT);
    this.tree.most = Math.max(FIELDS[0], Math.min(room, FIELDS[1]));
    this.tree.least = Math.min(this.nodes.length, this.tree.most);
    this.canvas.style.height = `${rows * HEIGHT}px`;
    this.grid.classList.toggle("wsedu-narrow", this.row === NARROW);
  }

  // Draw the rows that are seen, and no others; a row that is there already only changes its light.
  draw() {
    const first = Math.floor(this.grid.scrollTop / HEIGHT);
    const rows = Math.min(Math.ceil(this.data.length / this.row), first + SHOWN + 2);
    if (first !== this.first) {
      const lines = [];
      for (let row = first; row < rows; row++) lines.push(this.line(row));
      this.canvas.replaceChildren(...lines);
      this.first = first;
    }
    for (const cell of this.canvas.querySelectorAll("[data-at]")) {
      const at = +cell.dataset.at;
      cell.classList.toggle("wsedu-lit", Boolean(this.node) && this.node.start <= at && at < this.node.end);
      cell.classList.toggle("wsedu-here", at === this.at);
    }
  }

  line(row) {
    const start = row * this.row;
    const end = Math.min(start + this.row, this.data.length);
    const line = make("div", { class: "wsedu-row", style: `top:${row * HEIGHT}px` });
    line.append(make("span", { class: "wsedu-offset", text: String(start).padStart(6) }));
    for (const text of [false, true]) {
      const cells = make("span", { class: text ? "wsedu-text" : "wsedu-hex" });
      for (let at = start; at < end; at++) cells.append(this.cell(at, text));
      line.append(cells);
    }
    return line;
  }

  cell(at, text) {
    const node = this.leaf[at];
    const byte = this.data[at];
    const cell = make("span", {
      "data-at": at,
      style: this.looks[node?.kind ?? ""]?.style ?? "",
      text: text ? printable(byte) : hex(byte),
    });
    if (!text && at % this.row === NARROW) cell.style.marginLeft = "0.9ch";
    if (!text && node !== this.leaf[at + 1]) cell.classList.add("wsedu-last"); // so that neighbours of one kind part
    return cell;
  }

  drawTree() {
    const items = [];
    const add = (nodes) => {
      for (const node of nodes) {
        items.push(node);
        if (node.open) add(node.children);
      }
    };
    add(this.roots);
    this.tree.show(items, this.node);
  }

  // What stands in the row of a field.
  field(node) {
    const mark = node.children.length ? (node.open ? "▾ " : "▸ ") : "\u2003";
    const look = this.looks[node.kind ?? ""]?.style ?? "";
    return [
      make("span", { "aria-hidden": "true", text: mark, style: `padding-left:${node.level * 16 - 8}px` }),
      make("span", { class: "wsedu-chip", style: look, text: node.name }),
      ` ${node.value.length > 40 ? `${node.value.slice(0, 39)}…` : node.value}`,
    ];
  }

  openTo(node) {
    for (let up = node?.parent; up; up = up.parent) up.open = true;
  }

  // Show a byte and its field: until another is pinned, or, unless `pin`, until the pointer goes.
  light(at, node, { pin = true, quiet = false, pointer = "" } = {}) {
    if (!this.data.length) return;
    cancelAnimationFrame(this.leaving);
    this.at = Math.max(0, Math.min(at, this.data.length - 1));
    this.node = node;
    if (pin) this.pinned = [this.at, node];
    this.openTo(node);
    this.show(pointer);
    if (!quiet) this.moved(this, pin);
  }

  // Make the byte at an offset the current one.
  go(at, options) {
    this.light(at, this.deepest(Math.max(0, Math.min(at, this.data.length - 1))), options);
  }

  // Make a field the current one; by keyboard the focus goes to the fields.
  choose(node, focus, options) {
    this.light(node.start, node, options);
    if (focus) this.tree.box.focus({ preventScroll: true });
  }

  // The pointer has gone, perhaps from the bytes to the fields: then something else is lit before the next frame.
  leaveSoon() {
    cancelAnimationFrame(this.leaving);
    this.leaving = requestAnimationFrame(() => this.leave());
  }

  // What is pinned is shown again.
  leave() {
    this.restore();
    this.left(this);
  }

  restore() {
    const [at, node] = this.pinned;
    if (at !== this.at || node !== this.node) this.light(at, node, { pin: false, quiet: true });
  }

  // Scroll until the current byte is seen.
  reveal() {
    const top = Math.floor(this.at / this.row) * HEIGHT;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + HEIGHT > this.grid.scrollTop + this.grid.clientHeight - 12)
      this.grid.scrollTop = top + HEIGHT - this.grid.clientHeight + 12;
  }

  // Draw all of it; what is under the pointer is not scrolled.
  show(pointer = "") {
    if (pointer !== "bytes") this.reveal();
    this.draw();
    if (pointer === "fields") this.tree.mark(this.node);
    else {
      this.drawTree();
      this.tree.reveal();
    }
    this.say();
  }

  say() {
    const { node, at } = this;
    const path = [];
    for (let up = node; up; up = up.parent) path.unshift(up.name);
    const byte = this.data.length ? `byte ${at.toLocaleString("en")}: ${hex(this.data[at])}` : "no bytes";
    const bits = this.data[at]?.toString(2).padStart(8, "0") ?? "";
    const shown = node?.bits ? [...bits].map((bit, i) => (node.bits[0] <= i && i < node.bits[1] ? bit : "·")).join("") : bits;
    const line = make("div");
    line.append(make("b", { text: path.join(" › ") || "not explained" }));
    if (node?.value) line.append(` = `, make("samp", { text: node.value, dir: "auto" }));
    const more = make("div", { class: "wsedu-more", text: bits ? `${byte}, in bits ${shown.slice(0, 4)} ${shown.slice(4)}` : byte });
    const inside = node?.children.filter((one) => one.bits) ?? [];
    const meaning = inside.length ? toldOf(inside) : node?.meaning;
    if (meaning) more.append(`. ${meaning}`);
    const sections = [...new Set(inside.length ? inside.map((one) => one.section) : [node?.section])].filter(Boolean);
    sections.forEach((section, i) => more.append(i ? "; " : " (", linkTo(section)));
    if (sections.length) more.append(")");
    this.said.replaceChildren(line, more);
    this.said.scrollTop = 0;
    // What scrolls must be reached by keyboard (WCAG 2, 2.1.1).
    if (this.said.scrollHeight > this.said.clientHeight) this.said.tabIndex = 0;
    else this.said.removeAttribute("tabindex");
  }

  bytesKey(event) {
    if (isCommand(event)) return;
    const last = this.data.length - 1;
    const to = {
      ArrowLeft: this.at - 1, ArrowRight: this.at + 1, ArrowUp: this.at - this.row, ArrowDown: this.at + this.row,
      PageUp: this.at - this.row * SHOWN, PageDown: this.at + this.row * SHOWN, Home: 0, End: last,
    }[event.key];
    if (to !== undefined) {
      if (0 <= to && to <= last) this.go(to);
      else if (event.key.startsWith("Page")) this.go(to);
    } else if (event.key === "Enter" && this.node) this.choose(this.node, true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  // A key on the fields; says whether it meant something.
  treeKey(key, node) {
    if (!node) return false;
    if (key === "ArrowRight" && node.children.length) {
      if (node.open) this.choose(node.children[0], true);
      else this.fold(node, true);
    } else if (key === "ArrowLeft" && node.open) this.fold(node, false);
    else if (key === "ArrowLeft" && node.parent) this.choose(node.parent, true);
    else if (key === "Enter" || key === " ") {
      if (node.children.length) this.fold(node, !node.open);
      else this.grid.focus();
    } else return false;
    return true;
  }

  fold(node, open, reveal = true) {
    if (node.children.length) node.open = open;
    this.choose(node, true);
    if (node.open && reveal) this.tree.reveal(node.children.length);
  }

  // Follow another pane: to the field of the same name and place among its like. What HTTP carries is its content, what
  // a frame carries its payload.
  follow(other, options) {
    const name = (node) => (node.name === "payload" ? "content" : node.name);
    const key = (node) => (node.bits ? `${node.parent.name} › ${node.name}` : name(node));
    const like = (pane, node) => pane.nodes.filter((one) => key(one) === key(node));
    for (let up = other.node; up; up = up.parent) {
      const here = like(this, up)[like(other, up).indexOf(up)];
      if (here) return this.choose(here, false, options);
    }
  }
}

// Byte maps side by side, each of which follows the others.
function panes(sides, looks, data) {
  const others = (from) => all.filter((pane) => pane !== from);
  const moved = (from, pin) => others(from).forEach((pane) => pane.follow(from, { pin, quiet: true }));
  const left = (from) => others(from).forEach((pane) => pane.restore());
  const all = sides.map((side, number) => new BytePane(side, looks, asBytes(data[number]), { moved, left }));
  lightWords();
  return all;
}

const EXPLORE_HINT =
  "Point at a byte or a field; a click keeps it. By keyboard: Tab to the bytes or the fields, then the arrow keys, Home, End and Enter.";

// Maps with their hint, as a widget and in an exported page.
function byteMaps(sides, looks, data) {
  const maps = make("div", { class: "wsedu-panes" }, ...panes(sides, looks, data).map((pane) => pane.root));
  return make("div", { class: "wsedu-explorer" }, make("div", { class: "wsedu-hint", text: EXPLORE_HINT }), maps);
}
