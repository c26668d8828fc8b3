// SPDX-License-Identifier: GPL-2.0-or-later
// What widgets share that ask the kernel to act: each question gets its answer or a word about why there is none, and
// what was sent stays on the page as a card. It stands behind byte_pane.js.

const PATIENCE = 2000; // milliseconds without an answer, after which the kernel is said to be busy
const RESTARTED = "The kernel was restarted: run this cell again.";
const BUSY = "No answer yet: the kernel is busy. It answers when it is free; if it was restarted, run this cell again.";
const MOST_CARDS = 30;

// Questions to the kernel, as custom messages with a number that comes back with the answer. `lost` is called when the
// kernel is restarted, whether a question is open or not: what it knew of the widget went with it.
class KernelQuestions {
  constructor(model, lost) {
    this.model = model;
    this.open = new Map();
    this.name = Math.random().toString(36).slice(2); // several views may show one model
    this.count = 0;
    this.dead = false;
    this.heard = ({ to, said }, data) => this.end(to, (question) => question.answered(said, ...data));
    // Said by ipywidgets when it lets go of the kernel. Elsewhere than in Jupyter nobody says it, and BUSY has to do.
    this.disconnected = () => {
      this.dead = true;
      for (const name of [...this.open.keys()]) this.end(name, (question) => question.failed(RESTARTED));
      lost(RESTARTED);
    };
    model.on("msg:custom", this.heard);
    model.on("comm_live_update", this.disconnected);
  }

  // `answered` gets what the kernel tells, where that is HTML escaped by it, and the bytes that go with it; `waits` and
  // `failed` get text.
  ask(what, bytes, question) {
    if (this.dead) return question.failed(RESTARTED);
    const name = `${this.name}-${this.count++}`;
    question.timer = setTimeout(() => question.waits(BUSY), PATIENCE);
    this.open.set(name, question);
    try {
      this.model.send({ ask: name, what }, undefined, [bytes.slice().buffer]);
    } catch {
      this.end(name, () => question.failed(RESTARTED)); // the kernel that made this widget is gone
    }
  }

  end(name, tell) {
    const question = this.open.get(name);
    if (!question) return;
    this.open.delete(name);
    clearTimeout(question.timer);
    tell(question);
  }

  close() {
    this.model.off("msg:custom", this.heard);
    this.model.off("comm_live_update", this.disconnected);
    for (const question of this.open.values()) clearTimeout(question.timer);
  }
}

// HTML as the kernel's own pictures are, in which all text from outside is escaped (html.py); a test lets no other script
// write any.
function showPicture(box, html) {
  box.innerHTML = html;
}

const same = (one, other) => one.length === other.length && one.every((byte, at) => byte === other[at]);
const inHex = COPIED_AS.hex;
const bytesOf = (count) => `${count.toLocaleString("en")} byte${count === 1 ? "" : "s"}`;
// Text that is no UTF-8 shows where it is not, and half a character at its end as well.
const asText = (bytes) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

// A button, a choice, and what is written before a control.
function button(text, act, more = {}) {
  const made = make("button", { type: "button", text, ...more });
  made.addEventListener("click", act);
  return made;
}

function choiceOf(options, changed) {
  const made = make("select", {}, ...options.map(([value, text]) => make("option", { value, text })));
  made.addEventListener("change", () => changed(made.value));
  return made;
}

function labelled(text, control) {
  control.id = `wsedu-${Math.random().toString(36).slice(2)}`; // each widget is a module of its own, and all are on one page
  return make("div", { class: "wsedu-labelled" }, make("label", { for: control.id, text }), " ", control);
}

// Buttons that copy bytes in three ways, and say so; as text it is what `now` says that they mean.
function copyButtons(now, say) {
  return Object.entries(COPIED_AS).map(([name, form]) =>
    button(`Copy ${name}`, async () => {
      const text = form(name === "text" ? now().text : now().bytes);
      await copyText(text);
      say(`Copied: ${text.length > 60 ? `${text.slice(0, 60)} …` : text}`);
    }),
  );
}

// What was sent, the latest first, each with what was answered: a box that scrolls, and is as high empty as full.
class SentCards {
  constructor(label, empty, again) {
    this.again = again;
    this.cards = [];
    this.now = new Uint8Array();
    this.box = make("div", { class: "wsedu-cards", role: "group", tabindex: "0", "aria-label": label });
    this.box.append(make("p", { class: "wsedu-hint", text: empty }));
  }

  // A card for these bytes, and where its answer goes.
  add(bytes, ...verdict) {
    const number = (this.cards[0]?.number ?? 0) + 1;
    const short = bytes.length > 24 ? `${inHex(bytes.subarray(0, 24))} …` : inHex(bytes);
    const state = make("span", { class: "wsedu-state" });
    const head = make("div", {}, make("b", { text: `Sent ${number}: ` }), `${bytesOf(bytes.length)}, `, make("samp", { text: short }), " ", state, " ");
    head.append(button("Take it up again", () => this.again(bytes)));
    const answer = make("div", { "aria-live": "polite" });
    const root = make("div", { class: "wsedu-card" }, head, make("div", {}, ...verdict), answer);
    this.cards.unshift({ number, bytes, root, state });
    this.cards.length = Math.min(this.cards.length, MOST_CARDS);
    this.box.replaceChildren(...this.cards.map((card) => card.root));
    this.box.scrollTop = 0;
    this.mark(this.now);
    return answer;
  }

  // Say of each card whether it is of what stands above now.
  mark(bytes) {
    this.now = bytes;
    for (const card of this.cards) {
      const present = same(card.bytes, bytes);
      card.root.classList.toggle("wsedu-past", !present);
      card.state.textContent = present ? "(as it stands above)" : "(earlier: not what stands above)";
    }
  }
}
