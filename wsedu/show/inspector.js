// SPDX-License-Identifier: GPL-2.0-or-later
// Brings the byte maps of an exported page to life, without a kernel: what it shows stands in their HTML already, in
// the dump and in the table. It stands behind byte_pane.js; inspector.html.j2 puts both into a page.

const words = (node) => node?.textContent.trim() ?? "";
const count = (text) => parseInt(text.replaceAll(",", ""), 10);
const kindOf = (chip) => chip?.getAttribute("style").split(";padding")[0] ?? ""; // a look is its own name here

// The bytes of a map, as far as they are on the page.
function bytesOf(map) {
  const data = new Array(count(words(map.querySelector(".wsedu-size")))).fill(undefined);
  for (const dump of map.querySelectorAll(".wsedu-hex"))
    for (const [, at, row] of dump.textContent.matchAll(/^ *(\d+)  ([0-9a-f]{2}(?: {1,2}[0-9a-f]{2})*)(?= {3}|$)/gm))
      row.split(/ +/).forEach((byte, i) => (data[+at + i] = parseInt(byte, 16)));
  return data;
}

// Where what is said of a line is defined, and the rest of it.
function saidOf(cell) {
  const said = [...cell.children].map((line) => {
    const link = line.querySelector("a, span:last-child");
    return [words(line).slice(0, words(line).length - words(link).length).trim(), words(link)];
  });
  return { meaning: said.map(([meaning]) => meaning).join("; "), section: said.at(-1)?.[1] ?? "" };
}

// The lines of a head.
function linesOf(map, kind) {
  return [...map.querySelectorAll(".wsedu-head details")].map((details) => {
    const pieces = [...details.querySelectorAll("samp span")];
    const toned = (tone) => pieces.filter((piece) => piece.getAttribute("style").includes(tone));
    const name = toned("bold").map(words)[0];
    const value = toned("solid").filter((piece) => !toned("bold").includes(piece)).map(words).join(" ");
    const start = parseInt(details.querySelector("pre").textContent, 10);
    const size = [...details.querySelector("pre").textContent.matchAll(/(?<= )[0-9a-f]{2}(?= |$)/gm)].length;
    const said = saidOf(details.closest("tr").lastElementChild);
    return { start, end: start + size, name: name ?? "empty line", kind, value, ...said };
  });
}

// The rows of the table, beneath their layer if one is named; bits stand beneath their byte.
function fieldsOf(map) {
  const all = [];
  let fields = all;
  for (const row of map.querySelectorAll(".wsedu-fields tr")) {
    const [head, ...cells] = row.children;
    if (head.matches("th") && !cells.length) all.push({ name: words(head), layer: true, children: (fields = []) });
    if (cells.length < 5 || !head.firstElementChild) continue;
    const [offset, raw, value, meaning, section] = cells.map(words);
    const start = count(offset);
    const bits = /^[01·]{4} [01·]{4}$/.test(raw);
    const size = bits ? 1 : raw.endsWith("byte") || raw.endsWith("bytes") ? count(raw) : raw.split(" ").length;
    const kind = kindOf(head.firstElementChild);
    const node = { start, end: start + size, name: words(head), kind, value, meaning, section };
    if (!bits) fields.push(node);
    else {
      const mask = raw.replace(" ", "");
      node.bits = [mask.search(/[01]/), mask.replace(/·+$/, "").length];
      const byte = fields.at(-1);
      if (byte?.start === start && byte.children) byte.children.push(node);
      else fields.push({ ...node, bits: undefined, value: "", meaning: "", section: "", children: [node] });
    }
  }
  for (const field of all.flatMap((one) => (one.layer ? one.children : one)))
    if (field.children) field.name = field.children.map((one) => one.name).join(", ");
  for (const layer of all.filter((one) => one.layer)) {
    const [start, end, kind] = [layer.children[0].start, layer.children.at(-1).end, layer.children[0].kind];
    Object.assign(layer, { start, end, kind, value: `${end - start} bytes`, meaning: "", section: "", open: layer === all.at(-1) });
  }
  return all;
}

function bringToLife(group) {
  const maps = group.matches(".wsedu-map") ? [group] : [...group.querySelectorAll(".wsedu-map")];
  if (!maps.length) return; // a ladder
  const looks = {};
  const sides = maps.map((map) => {
    for (const chip of map.querySelectorAll(".wsedu-legend span span")) looks[kindOf(chip)] = { style: kindOf(chip), label: words(chip) };
    const http = Object.values(looks).find((look) => look.label === "http head")?.style ?? "";
    const tree = [...linesOf(map, http), ...fieldsOf(map)].sort((one, other) => one.start - other.start);
    return { name: words(map.querySelector("b")), tree, start: tree.findLast((node) => node.layer)?.start ?? 0 };
  });
  const alive = byteMaps(sides, looks, maps.map(bytesOf));
  alive.classList.add("wsedu-alive");
  group.before(alive);
  group.classList.add("wsedu-still"); // on paper the picture is what is printed
  const promise = group.closest(".jp-OutputArea-child")?.nextElementSibling; // "(run this cell: ...)"
  if (group.matches(".wsedu-twin")) promise?.classList.add("wsedu-still");
}

// A twin is what a widget would stand for, and comes to life at once. Other maps are pictures, until somebody asks.
for (const twin of document.querySelectorAll(".wsedu-twin")) bringToLife(twin);
for (const map of document.querySelectorAll(".wsedu-map")) {
  if (map.closest(".wsedu-twin")) continue;
  const button = make("button", { type: "button", class: "wsedu-explore", text: "Explore" });
  button.addEventListener("click", () => {
    bringToLife(map);
    map.previousElementSibling.querySelector(".wsedu-bytes").focus();
    button.remove();
  });
  map.before(button);
}
