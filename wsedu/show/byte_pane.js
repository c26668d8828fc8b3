// SPDX-License-Identifier: GPL-2.0-or-later
// What the widgets of bytes are made of: rows of which only those that are seen are in the page, and the byte map.
// Text from outside reaches the page through textContent only.

const WIDE = 16; // bytes in a row, where there is room for them and their text
const NARROW = 8; // elsewhere
const COLUMNS = 78; // characters that a wide row takes
const HEIGHT = 24; // pixels of a row of bytes
const SHOWN = 14; // rows of the window

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

const hex = (byte) => byte.toString(16).padStart(2, "0");
const printable = (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·");
const asBytes = (data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
let numbers = 0; // for ids

// Hide the picture that stands before a widget and shows the same, as soon as the widget is seen: the nearest one before
// it of the class `twin`. Gives a function that shows it again.
function hideTwin(el, twin) {
  let hidden = null;
  const seen = new ResizeObserver(() => {
    if (!twin || !el.isConnected) return;
    const before = (node) => node.compareDocumentPosition(el) & Node.DOCUMENT_POSITION_FOLLOWING;
    const picture = [...document.getElementsByClassName(twin)].filter(before).at(-1);
    hidden = picture?.closest(".jp-OutputArea-child") ?? picture; // in JupyterLab with its prompt and its margins
    if (hidden) hidden.style.display = "none";
    seen.disconnect();
  });
  seen.observe(el);
  return () => {
    seen.disconnect();
    if (hidden) hidden.style.display = "";
  };
}

// A pointer that moves; not one under which the page scrolls, for the keyboard moved that.
function onPointer(box, act) {
  let seen = "";
  box.addEventListener("mousemove", (event) => {
    const place = `${event.screenX},${event.screenY}`;
    if (place !== seen) act(event.target);
    seen = place;
  });
}

// A tree, drawn as rows of one height. `fill` gives what stands in an item's row; the focus stays on the box, and the
// current row is named to those who listen to the page.
class TreeRows {
  constructor({ label, height, most, fill, choose, key }) {
    Object.assign(this, { height, most, fill, choose, items: [], current: -1 });
    this.name = `wsedu-rows-${numbers++}`;
    this.canvas = make("div", { style: "position:relative" });
    this.box = make("div", { class: "wsedu-rows", role: "tree", tabindex: "0", "aria-label": label }, this.canvas);
    this.box.addEventListener("scroll", () => this.draw());
    this.box.addEventListener("keydown", (event) => {
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
    this.box.style.height = `${Math.min(items.length, this.most) * this.height + 10}px`;
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
  return make("a", { text: section, target: "_blank", rel: "noopener", href });
}

// The byte map: point at a byte and its field lights up, point at a field and its bytes do; the keyboard does the
// same. Everything stays in the browser: the kernel sends the bytes and their tree once, and is not asked again.
class BytePane {
  constructor(side, looks, data, onMove) {
    Object.assign(this, { side, looks, data, onMove, row: WIDE });
    this.nodes = [];
    this.roots = flatten(side.tree, null, 1, this.nodes);
    this.at = side.start || 0; // the current byte
    this.node = this.deepest(this.at); // the current field
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

  build() {
    const title = make("div", { class: "wsedu-title" });
    title.append(make("b", { text: this.side.name }), ` ${this.data.length.toLocaleString("en")} bytes`);
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
    this.size();
    this.said = make("div", { class: "wsedu-said", "aria-live": "polite" });
    this.tree = new TreeRows({
      label: `fields of ${this.side.name}`,
      height: 24,
      most: 12,
      fill: (node) => this.field(node),
      choose: (node) => this.choose(node, true),
      key: (key, node) => this.treeKey(key, node),
    });
    this.root = make("div", { class: "wsedu-pane" }, title, this.grid, this.said, this.tree.box);
    this.grid.addEventListener("scroll", () => this.draw());
    onPointer(this.grid, (target) => {
      const at = target.dataset?.at;
      if (at !== undefined && +at !== this.at) this.go(+at);
    });
    onPointer(this.tree.box, (target) => {
      const node = target.closest("[role=treeitem]")?.item;
      if (node && node !== this.node) this.choose(node, false);
    });
    this.tree.box.addEventListener("click", (event) => {
      const node = event.target.closest("[role=treeitem]")?.item;
      if (node) this.fold(node, !node.open);
    });
    this.grid.addEventListener("keydown", (event) => this.bytesKey(event));
    this.openTo(this.node);
    this.drawTree();
    this.draw();
    this.say();
    if (this.at) requestAnimationFrame(() => this.show()); // its place is known once it is in the page
  }

  // Take as many bytes in a row as there is room for.
  fit() {
    const room = this.grid.clientWidth;
    const row = room && room < this.ruler.offsetWidth ? NARROW : WIDE;
    if (row === this.row) return;
    this.row = row;
    this.size();
    this.first = undefined; // no row is as it was
    this.reveal();
    this.draw();
  }

  size() {
    const rows = Math.ceil(this.data.length / this.row) || 1;
    this.grid.style.height = `${Math.min(rows, SHOWN) * HEIGHT + 14}px`;
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
      ` ${node.shown}`,
    ];
  }

  openTo(node) {
    for (let up = node?.parent; up; up = up.parent) up.open = true;
  }

  // Make the byte at an offset the current one.
  go(at, quiet = false) {
    if (!this.data.length) return;
    this.at = Math.max(0, Math.min(at, this.data.length - 1));
    this.node = this.deepest(this.at);
    this.openTo(this.node);
    this.show();
    if (!quiet) this.onMove(this);
  }

  // Make a field the current one; by keyboard the focus goes to the fields.
  choose(node, focus, quiet = false) {
    this.node = node;
    this.at = node.start;
    this.openTo(node);
    this.show(!focus && !quiet);
    if (focus) this.tree.box.focus({ preventScroll: true });
    if (!quiet) this.onMove(this);
  }

  // Scroll until the current byte is seen.
  reveal() {
    const top = Math.floor(this.at / this.row) * HEIGHT;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + HEIGHT > this.grid.scrollTop + this.grid.clientHeight - 12)
      this.grid.scrollTop = top + HEIGHT - this.grid.clientHeight + 12;
  }

  show(underPointer = false) {
    this.reveal();
    this.draw();
    if (underPointer) this.tree.mark(this.node);
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
    const bits = this.data.length ? this.data[at].toString(2).padStart(8, "0") : "";
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
  }

  bytesKey(event) {
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

  fold(node, open) {
    if (node.children.length) node.open = open;
    this.choose(node, true);
    if (node.open) this.tree.reveal(node.children.length);
  }

  // Follow another pane: to the field of the same name and place among its like. What HTTP carries is its content, what
  // a frame carries its payload.
  follow(other) {
    const name = (node) => (node.name === "payload" ? "content" : node.name);
    const key = (node) => (node.bits ? `${node.parent.name} › ${node.name}` : name(node));
    const like = (pane, node) => pane.nodes.filter((one) => key(one) === key(node));
    for (let up = other.node; up; up = up.parent) {
      const here = like(this, up)[like(other, up).indexOf(up)];
      if (here) return this.choose(here, false, true);
    }
  }
}

// Byte maps side by side, each of which follows the others.
function panes(sides, looks, data) {
  const all = sides.map((side, number) => new BytePane(side, looks, asBytes(data[number]), (from) => follow(from)));
  const follow = (from) => all.forEach((pane) => pane !== from && pane.follow(from));
  return all;
}
