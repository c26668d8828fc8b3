// SPDX-License-Identifier: GPL-2.0-or-later
// Search without a server. The texts of all sections are in search_index.js, a script because a page from a disk may not
// read other files; it is loaded when somebody is about to search. Text gets onto the page as textContent only.

const MOST = 30; // results that are listed
const AROUND = 70; // characters of an excerpt before what was found; twice as many after it

const box = document.getElementById("search");
const found = document.getElementById("found");
const results = document.getElementById("results");
box.closest("search").hidden = false;

const make = (name, text, more = {}) => Object.assign(document.createElement(name), { textContent: text, ...more });

let loading = null;
function load() {
  loading ??= new Promise((loaded, failed) => {
    document.head.append(make("script", "", { src: "read/search_index.js", onload: loaded, onerror: failed }));
  });
  return loading;
}

// How well a section fits: not at all if it has too few words. Words of its heading count, and more so all in a row.
function score({ title, heading, text }, words, fewest) {
  const [head, body] = [`${title} ${heading}`.toLowerCase(), text.toLowerCase()];
  if (words.filter((word) => head.includes(word) || body.includes(word)).length < fewest) return 0;
  const times = (word) => Math.min(body.split(word).length - 1, 5) + (head.includes(word) ? 10 : 0);
  return words.reduce((sum, word) => sum + times(word), 1) + 10 * times(words.join(" "));
}

// A piece of the text, with the words marked.
function excerpt(text, words) {
  const at = (word) => text.toLowerCase().indexOf(word);
  const places = words.map(at).filter((place) => place >= 0);
  const first = Math.max(at(words.join(" ")), Math.min(...(places.length ? places : [0])));
  const from = first > AROUND ? text.indexOf(" ", first - AROUND) + 1 : 0;
  const cut = text.slice(from <= first ? from : first, first + 2 * AROUND);
  const line = make("p", from ? "… " : "");
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "gi");
  cut.split(pattern).forEach((piece, at) => line.append(at % 2 ? make("mark", piece) : piece));
  line.append(" …");
  return line;
}

async function search() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    found.textContent = "";
    return results.replaceChildren();
  }
  try {
    await load();
  } catch {
    found.textContent = "The index of the search could not be loaded.";
    return;
  }
  const having = (fewest) =>
    window.SEARCH_INDEX.map((section) => [score(section, words, fewest), section]).filter(([points]) => points);
  let all = having(words.length);
  const none = !all.length && words.length > 1;
  if (none) all = having(1);
  all.sort(([one], [other]) => other - one);
  const [some, count] = [all.slice(0, MOST), all.length];
  found.textContent = `${none ? "No section has all of these words. Some of them: " : ""}${count} section${count === 1 ? "" : "s"}${count > MOST ? `, the best ${MOST} of them` : ""}`;
  results.replaceChildren(
    ...some.map(([, { url, title, heading, text }]) => {
      const item = make("li", "");
      item.append(make("a", heading && heading !== title ? `${title} › ${heading}` : title, { href: url }), excerpt(text, words));
      return item;
    }),
  );
}

box.addEventListener("focus", () => load().catch(() => {}), { once: true });
box.addEventListener("input", search);
// Arrows go from the box through the results and back, Escape empties the box.
box.closest("search").addEventListener("keydown", (event) => {
  const stops = [box, ...results.querySelectorAll("a")];
  const at = stops.indexOf(document.activeElement);
  if (event.key === "Escape") {
    box.value = "";
    search();
    box.focus();
  } else if (event.key === "ArrowDown" || (event.key === "ArrowUp" && at > 0)) {
    stops[Math.min(at + (event.key === "ArrowDown" ? 1 : -1), stops.length - 1)].focus();
    event.preventDefault();
  }
});
if (box.value) search(); // come back to by the browser's own button
