// SPDX-License-Identifier: GPL-2.0-or-later
// The handshake bench: a request head to edit and to send. It stands behind byte_pane.js and kernel.js. The rules of a
// handshake are the kernel's: it is asked after every change, and until it has answered no verdict is shown.

const BENCH_HINT = "Choose what to break, or edit the request: change a field, take its line out, add one. Then send it.";

class HandshakeBench {
  constructor(model) {
    this.spoiled = model.get("spoiled");
    this.kernel = new KernelQuestions(model, (why) => this.tell(why));
    this.broken = choiceOf([["", "as it was edited"], ...Object.keys(this.spoiled).map((name) => [name, name])], (name) => name && this.put(this.spoiled[name]));
    this.lines = make("textarea", { rows: "8", spellcheck: "false", wrap: "off", maxlength: "8000", title: "at most 8,000 characters" });
    this.lines.addEventListener("input", () => this.changed());
    this.verdict = make("div", { class: "wsedu-request-verdict", role: "group", tabindex: "0", "aria-label": "the verdict, and the accept value", "aria-live": "polite" });
    this.told = make("span", { class: "wsedu-told", role: "status" });
    this.cards = new SentCards("what was sent", "What you send is kept here, with what the server answered.", (bytes) => this.put(asText(bytes).replaceAll("\r\n", "\n").trimEnd()));
    const now = () => ({ bytes: this.bytes, text: this.bytes });
    const buttons = [
      button("New random key", () => this.newKey()),
      button("Reset", () => this.put(Object.values(this.spoiled)[0])),
      ...copyButtons(now, (text) => this.tell(text)),
    ];
    this.root = make("div", { class: "wsedu-explorer wsedu-bench" },
      make("p", { class: "wsedu-hint", text: BENCH_HINT }),
      make("div", { class: "wsedu-line" }, labelled("break", this.broken), ...buttons),
      labelled("request", this.lines),
      this.verdict,
      make("div", { class: "wsedu-line" }, button("Send it", () => this.send(), { class: "wsedu-send" }), this.told),
      this.cards.box,
    );
    this.lines.value = Object.values(this.spoiled)[0];
    showPicture(this.verdict, model.get("shown"));
    this.choose();
  }

  // Lines end with CRLF, and an empty one ends the head.
  get bytes() {
    return new TextEncoder().encode(`${this.lines.value.replace(/\n+$/, "").replaceAll("\n", "\r\n")}\r\n\r\n`);
  }

  put(lines) {
    this.lines.value = lines;
    this.changed();
  }

  newKey() {
    const key = btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))));
    this.put(this.lines.value.replace(/^(Sec-WebSocket-Key:).*$/im, `$1 ${key}`));
  }

  choose() {
    this.broken.value = Object.keys(this.spoiled).find((name) => this.spoiled[name] === this.lines.value) ?? "";
    this.cards.mark(this.bytes);
  }

  changed() {
    this.choose();
    this.tell("");
    const bytes = this.bytes;
    const say = (text) => {
      if (same(bytes, this.bytes)) this.verdict.replaceChildren(make("p", { text }));
    };
    say("Asking …");
    this.kernel.ask("check", bytes, {
      answered: (html) => {
        if (same(bytes, this.bytes)) showPicture(this.verdict, html);
      },
      waits: say,
      failed: say,
    });
  }

  send() {
    const head = make("details", {}, make("summary", { text: "the request" }), make("pre", { text: asText(this.bytes) }));
    const answer = this.cards.add(this.bytes, head);
    const say = (text) => answer.replaceChildren(make("p", { text }));
    say("Asking the server …");
    this.kernel.ask("send", this.bytes, { answered: (html) => showPicture(answer, html), waits: say, failed: say });
  }

  tell(text) {
    this.told.textContent = this.kernel.dead ? RESTARTED : text;
  }
}

function render({ model, el }) {
  const bench = new HandshakeBench(model);
  return inPlaceOfTwin(model, el, bench.root, () => bench.kernel.close());
}

export default { render };
