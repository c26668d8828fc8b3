// SPDX-License-Identifier: GPL-2.0-or-later
// The byte map to touch: point at a byte and its field lights up, point at a field and its bytes do; the keyboard does
// the same. Everything stays in the browser: the kernel sends the bytes and their tree once, and is not asked again.
// Text from outside reaches the page through textContent only.

const ROW = 16; // bytes in a row
const HEIGHT = 24; // pixels of a row; only the rows that are seen are drawn
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

// All nodes of a tree in the order in which a reader meets them, each with its way up.
function flatten(nodes, parent = null, level = 1, all = []) {
  for (const node of nodes) {
    const item = { ...node, parent, level, open: level === 1, index: all.length };
    all.push(item);
    item.children = flatten(node.children || [], item, level + 1, all).filter((child) => child.parent === item);
  }
  return all;
}

class Pane {
  constructor(side, looks, data, number, moved) {
    Object.assign(this, { side, looks, data, number, moved });
    this.nodes = flatten(side.tree);
    this.at = 0; // the current byte
    this.node = this.deepest(0); // the current field
    this.leaf = new Array(data.length);
    for (const node of this.nodes)
      if (!node.children.length || !node.bits) for (let i = node.start; i < node.end; i++) this.leaf[i] = node;
    this.root = make("div", { class: "wsedu-pane" });
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
    const rows = Math.ceil(this.data.length / ROW) || 1;
    this.grid.style.height = `${Math.min(rows, SHOWN) * HEIGHT + 2}px`;
    this.canvas = make("div", { style: `height:${rows * HEIGHT}px;position:relative;min-width:660px` });
    this.grid.append(this.canvas);
    this.said = make("div", { class: "wsedu-said", "aria-live": "polite" });
    this.tree = make("div", { class: "wsedu-tree", role: "tree", "aria-label": `fields of ${this.side.name}` });
    this.root.append(title, this.grid, this.said, this.tree);
    this.grid.addEventListener("scroll", () => this.draw());
    this.onPointer(this.grid, (target) => {
      const at = target.dataset?.at;
      if (at !== undefined && +at !== this.at) this.go(+at);
    });
    this.onPointer(this.tree, (target) => {
      const node = target.closest("[role=treeitem]")?.node;
      if (node && node !== this.node) this.choose(node, false);
    });
    this.grid.addEventListener("keydown", (event) => this.bytesKey(event));
    this.tree.addEventListener("keydown", (event) => this.treeKey(event));
    this.drawTree();
    this.draw();
    this.say();
  }

  // A pointer that moves; not one under which the page scrolls, for the keyboard moved that.
  onPointer(box, act) {
    let seen = "";
    box.addEventListener("mousemove", (event) => {
      const place = `${event.screenX},${event.screenY}`;
      if (place !== seen) act(event.target);
      seen = place;
    });
  }

  // Draw the rows that are seen, and no others; a row that is there already only changes its light.
  draw() {
    const first = Math.floor(this.grid.scrollTop / HEIGHT);
    const rows = Math.min(Math.ceil(this.data.length / ROW), first + SHOWN + 2);
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
    const start = row * ROW;
    const end = Math.min(start + ROW, this.data.length);
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
    if (!text && at % ROW === 8) cell.style.marginLeft = "0.9ch";
    if (!text && node !== this.leaf[at + 1]) cell.classList.add("wsedu-last"); // so that neighbours of one kind part
    return cell;
  }

  drawTree() {
    this.items = [];
    const add = (nodes) => {
      for (const node of nodes) {
        const current = node === this.node;
        const item = make("div", {
          role: "treeitem",
          tabindex: current || (!this.node && !this.items.length) ? "0" : "-1",
          "aria-level": node.level,
          "aria-selected": String(current),
          class: current ? "wsedu-item wsedu-current" : "wsedu-item",
          style: `padding-left:${node.level * 16 - 8}px`,
        });
        if (node.children.length) item.setAttribute("aria-expanded", String(node.open));
        const mark = node.children.length ? (node.open ? "▾ " : "▸ ") : "\u2003";
        const chip = make("span", { class: "wsedu-chip", style: this.looks[node.kind ?? ""]?.style ?? "", text: node.name });
        item.append(make("span", { "aria-hidden": "true", text: mark }), chip, ` ${node.shown}`);
        item.addEventListener("click", () => {
          node.open = !node.open;
          this.choose(node, true);
        });
        item.node = node;
        this.items.push(item);
        this.tree.append(item);
        if (node.open) add(node.children);
      }
    };
    this.tree.replaceChildren();
    add(this.nodes.filter((node) => !node.parent));
  }

  // Make the byte at an offset the current one.
  go(at, quiet = false) {
    if (!this.data.length) return;
    this.at = Math.max(0, Math.min(at, this.data.length - 1));
    this.node = this.deepest(this.at);
    for (let up = this.node?.parent; up; up = up.parent) up.open = true;
    this.show(false);
    if (!quiet) this.moved(this);
  }

  // Make a field the current one.
  choose(node, focus, quiet = false) {
    this.node = node;
    this.at = node.start;
    for (let up = node.parent; up; up = up.parent) up.open = true;
    this.show(focus, !focus);
    if (!quiet) this.moved(this);
  }

  show(focus, keepTree = false) {
    const top = Math.floor(this.at / ROW) * HEIGHT;
    if (top < this.grid.scrollTop) this.grid.scrollTop = top;
    else if (top + HEIGHT > this.grid.scrollTop + this.grid.clientHeight)
      this.grid.scrollTop = top + HEIGHT - this.grid.clientHeight;
    this.draw();
    if (keepTree) this.mark();
    else this.drawTree();
    const item = this.items.find((one) => one.node === this.node);
    if (item) {
      const above = item.offsetTop - this.tree.offsetTop;
      if (above < this.tree.scrollTop || above > this.tree.scrollTop + this.tree.clientHeight - 24)
        this.tree.scrollTop = above - 24;
      if (focus) item.focus({ preventScroll: true });
    }
    this.say();
  }

  // The current field of the tree, without building it anew under the pointer.
  mark() {
    for (const item of this.items) {
      const current = item.node === this.node;
      item.setAttribute("aria-selected", String(current));
      item.tabIndex = current ? 0 : -1;
      item.classList.toggle("wsedu-current", current);
    }
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
    const more = make("div", { class: "wsedu-more", text: `${byte}, in bits ${shown.slice(0, 4)} ${shown.slice(4)}` });
    if (node?.meaning) more.append(`. ${node.meaning}`);
    if (node?.section) {
      more.append(" (");
      const rfc = /^RFC (\d+), ([\d.]+)$/.exec(node.section);
      const link = { text: node.section, target: "_blank", rel: "noopener" };
      if (rfc) more.append(make("a", { ...link, href: `https://www.rfc-editor.org/rfc/rfc${rfc[1]}#section-${rfc[2]}` }));
      else more.append(node.section);
      more.append(")");
    }
    this.said.replaceChildren(line, more);
  }

  bytesKey(event) {
    const last = this.data.length - 1;
    const to = {
      ArrowLeft: this.at - 1, ArrowRight: this.at + 1, ArrowUp: this.at - ROW, ArrowDown: this.at + ROW,
      PageUp: this.at - ROW * SHOWN, PageDown: this.at + ROW * SHOWN, Home: 0, End: last,
    }[event.key];
    if (to !== undefined) {
      if (0 <= to && to <= last) this.go(to);
      else if (event.key.startsWith("Page")) this.go(to);
    } else if (event.key === "Enter" && this.node) this.choose(this.node, true);
    else return;
    event.preventDefault();
    event.stopPropagation(); // JupyterLab has commands on the same keys
  }

  treeKey(event) {
    const index = this.items.findIndex((item) => item.node === this.node);
    const node = this.node;
    if (event.key === "ArrowDown" && index + 1 < this.items.length) this.choose(this.items[index + 1].node, true);
    else if (event.key === "ArrowUp" && index > 0) this.choose(this.items[index - 1].node, true);
    else if (event.key === "Home") this.choose(this.items[0].node, true);
    else if (event.key === "End") this.choose(this.items[this.items.length - 1].node, true);
    else if (event.key === "ArrowRight" && node.children.length) {
      if (node.open) this.choose(node.children[0], true);
      else this.fold(node, true);
    } else if (event.key === "ArrowLeft") {
      if (node.open && node.children.length) this.fold(node, false);
      else if (node.parent) this.choose(node.parent, true);
    } else if (event.key === "Enter" || event.key === " ") {
      if (node.children.length) this.fold(node, !node.open);
      else this.grid.focus();
    } else if (!event.key.startsWith("Arrow")) return;
    event.preventDefault();
    event.stopPropagation();
  }

  fold(node, open) {
    node.open = open;
    this.choose(node, true);
  }

  // Follow another pane: to the field of the same name and place among its like.
  follow(other) {
    const same = (node) => this.nodes.filter((one) => one.name === node.name);
    for (let up = other.node; up; up = up.parent) {
      const like = other.nodes.filter((one) => one.name === up.name);
      const here = same(up)[like.indexOf(up)];
      if (here) return this.choose(here, false, true), this.drawTree();
    }
  }
}

function render({ model, el }) {
  const draw = () => {
    const panes = [];
    const moved = (from) => panes.forEach((pane) => pane !== from && pane.follow(from));
    const looks = model.get("looks");
    const bytes = model.get("data");
    model.get("sides").forEach((side, number) => {
      const data = bytes[number];
      const view = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      panes.push(new Pane(side, looks, view, number, moved));
    });
    el.classList.add("wsedu-touch");
    el.replaceChildren(...panes.map((pane) => pane.root));
  };
  draw();
  model.on("change:sides", draw);
  return () => model.off("change:sides", draw);
}

export default { render };
