// SPDX-License-Identifier: GPL-2.0-or-later
// The frame builder: the RFC's own picture of a frame, in which each bit is a button and each byte a field. It stands
// behind byte_pane.js and kernel.js. What a rule says comes from the kernel as data, once; nothing here knows a rule.

const MOST = 70_000; // bytes of payload that are really made; more is announced only
const DRAWN = 32; // bytes of payload in the diagram
const FIRST_KEY = [0x37, 0xfa, 0x21, 0x3d];
const STEP = Array.from({ length: 24 }, (_, i) => 5 * (i + 1));
// Where the slider stops: close together around the numbers at which the form of the payload length changes.
const STOPS = [0, 1, 2, 3, 4, ...STEP, 123, 124, 125, 126, 127, 128, 129, 150, 256, 1000, 5000, 20_000, 65_533, 65_534, 65_535, 65_536, 65_537, 65_538, MOST];
const FRAME_HINT =
  "Click a bit, and it flips; type into a byte. By keyboard: Tab to the bits, arrow keys move, Space flips, two hex digits change the byte.";

const number = (bytes) => bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
const shortest = (length) => (length < 126n ? 7 : length < 65_536n ? 16 : 64);

// A frame's parts, from its bytes; the header is whole.
function split(data) {
  const seven = data[1] & 0x7f;
  const form = seven === 126 ? 16 : seven === 127 ? 64 : 7;
  const at = 2 + (form >> 3);
  const length = form === 7 ? BigInt(seven) : number(data.subarray(2, at));
  const key = data[1] & 0x80 ? data.slice(at, at + 4) : null;
  const start = at + (key ? 4 : 0);
  const payload = data.slice(start, start + Number(length));
  if (key) payload.forEach((byte, i) => (payload[i] = byte ^ key[i % 4]));
  return { form, at, length, key, start, payload };
}

// The index of the first byte at which it is certain that this is not UTF-8, or -1; `final`: nothing comes after it.
function notUtf8(bytes, final) {
  const decoder = () => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const takes = (one, piece, stream) => {
    try {
      one.decode(piece, { stream });
      return true;
    } catch {
      return false;
    }
  };
  if (takes(decoder(), bytes, !final)) return -1;
  const careful = decoder();
  for (let at = 0; at < bytes.length; at++) if (!takes(careful, bytes.subarray(at, at + 1), true)) return at;
  return bytes.length - 1;
}

// What the protocol says of a value: that of the last run which begins at or before it; {} stands for the value.
function told(runs, value) {
  const said = runs.findLast(([start]) => BigInt(start) <= BigInt(value))[1];
  return said && { ...said, message: said.message.replace("{}", value) };
}

// Whether a client may send these bytes as its first frame: `refused` says which rule says no.
function judge(data, rules) {
  const { form, length, start, payload } = split(data);
  const header = told(rules.first, data[0]) || told(rules[data[0]], data[1]) || (form > 7 && told(rules[`b${form}`], length));
  if (header) return { refused: header };
  const fin = Boolean(data[0] & 0x80);
  const whole = BigInt(payload.length) === length;
  const close = (data[0] & 0xf) === 8;
  const code = close && payload.length > 1 && told(rules.code, payload[0] * 256 + payload[1]);
  if (code) return { refused: code };
  if (close || (data[0] & 0xf) === 1) {
    const before = close ? 2 : 0;
    const at = notUtf8(payload.subarray(before), whole && fin);
    if (at >= 0) return { refused: { ...(close ? rules.reason : rules.text), offset: start + before + at } };
  }
  return { whole, fragment: !fin, announced: length, there: payload.length };
}

// A frame to change. The payload is what was typed, cut or repeated to the payload length.
class FrameInHand {
  constructor(data) {
    const { form, length, key, payload } = split(data);
    Object.assign(this, { first: data[0], mask: Boolean(key), key: [...(key ?? FIRST_KEY)], typed: payload });
    this.resize(length, form);
  }

  // `form` counts where it is longer than need be; it goes on to count for other lengths then.
  resize(length, form = this.wanted) {
    this.length = length;
    this.wanted = form === shortest(length) ? 7 : form;
  }

  type(payload) {
    this.typed = payload;
    this.resize(BigInt(payload.length));
  }

  get form() {
    return Math.max(this.wanted, shortest(this.length));
  }

  get payload() {
    const size = Math.min(Number(this.length), MOST);
    if (size <= this.typed.length) return this.typed.slice(0, size);
    return Uint8Array.from({ length: size }, (_, i) => this.typed[i % this.typed.length] ?? 0);
  }

  get bytes() {
    const { form, payload, key } = this;
    const seven = form === 7 ? Number(this.length) : form === 16 ? 126 : 127;
    const extended = [];
    for (let left = this.length, i = form >> 3; i > 0; i--, left >>= 8n) extended.unshift(Number(left & 0xffn));
    const header = [this.first, (this.mask << 7) | seven, ...extended, ...(this.mask ? key : [])];
    const bytes = new Uint8Array(header.length + payload.length);
    bytes.set(header);
    bytes.set(this.mask ? payload.map((byte, i) => byte ^ key[i % 4]) : payload, header.length);
    return bytes;
  }

  // Make a byte another one, as it is sent; what it means decides what becomes of the rest.
  change(at, value) {
    const bytes = this.bytes;
    const { form, at: keyAt, start } = split(bytes);
    bytes[at] = value;
    if (at === 0) this.first = value;
    else if (at === 1) {
      this.mask = value > 127;
      const seven = value & 0x7f;
      if (seven < 126) this.resize(BigInt(seven), 7);
      else if (seven === 126) this.resize(this.length > 65_535n ? 65_535n : this.length, 16);
      else this.resize(this.length, 64);
    } else if (at < keyAt) this.resize(number(bytes.subarray(2, keyAt)), form);
    else if (at < start) this.key[at - keyAt] = value;
    else {
      const payload = this.payload;
      payload[at - start] = value ^ (this.mask ? this.key[(at - start) % 4] : 0);
      this.typed = payload;
    }
  }
}

class FrameBuilder {
  constructor(model) {
    Object.assign(this, { model, rules: model.get("rules"), looks: model.get("looks"), here: 0 });
    this.kernel = new KernelQuestions(model, (why) => this.tell(why));
    this.begin = asBytes(model.get("start"));
    this.frame = new FrameInHand(this.begin);
    this.verdict = make("div", { class: "wsedu-verdict", role: "status" });
    this.ruler = make("div", { class: "wsedu-bit-ruler", "aria-hidden": "true" }, ...Array.from({ length: 32 }, (_, i) => make("span", { text: i })));
    this.words = make("div", { role: "group", "aria-label": "the bits of the frame, 32 a row, as RFC 6455 draws them" });
    this.diagram = make("div", { class: "wsedu-diagram" }, make("div", {}, this.ruler, this.words));
    this.said = make("div", { class: "wsedu-bit-said", text: FRAME_HINT });
    this.told = make("span", { class: "wsedu-told", role: "status" });
    this.cards = new SentCards("what was sent", "What you send is kept here, with what both servers answered.", (bytes) => this.put(bytes));
    this.send = button("Send it", () => this.ask(), { class: "wsedu-send" });
    this.root = make("div", { class: "wsedu-explorer wsedu-builder" }, this.verdict, this.controls(), this.diagram, this.said);
    this.root.append(make("div", { class: "wsedu-line" }, this.send, this.told), this.cards.box);
    this.listen();
    this.draw();
  }

  controls() {
    const names = this.rules.opcodes.map((name, code) => [code, `${code.toString(16).toUpperCase()} ${name}`]);
    this.opcode = choiceOf(names, (code) => this.act(() => (this.frame.first = (this.frame.first & 0xf0) | +code)));
    this.as = choiceOf([["text", "text"], ["hex", "hex"]], () => this.draw());
    this.payload = make("textarea", { rows: "2", spellcheck: "false", maxlength: "70000", title: "at most 70,000 characters" });
    this.payload.addEventListener("input", () => this.typed());
    this.slider = make("input", { type: "range", min: "0", max: STOPS.length - 1 });
    this.slider.addEventListener("input", () => this.act(() => this.frame.resize(BigInt(STOPS[+this.slider.value]))));
    this.count = make("input", { type: "number", min: "0", step: "1", "aria-label": "payload length in bytes" });
    this.count.addEventListener("input", () => {
      const taken = /^\d{1,19}$/.test(this.count.value);
      this.count.setAttribute("aria-invalid", !taken);
      if (taken) this.act(() => this.frame.resize(BigInt(this.count.value)));
      else this.notTaken("a payload length is a number, of at most 19 digits.");
    });
    this.count.addEventListener("change", () => this.draw()); // what is no length gives way to the length
    const forms = [[7, "the shortest form"], [16, "16 bits"], [64, "64 bits"]];
    this.form = choiceOf(forms, (form) => this.act(() => this.frame.resize(this.frame.length, +form)));
    const act = (what) => () => this.act(what);
    return make("div", { class: "wsedu-controls" },
      make("div", { class: "wsedu-line" }, labelled("opcode", this.opcode), labelled("payload", this.payload), labelled("as", this.as)),
      make("div", { class: "wsedu-line" }, labelled("payload length", this.slider), this.count, labelled("in", this.form)),
      make("div", { class: "wsedu-line" },
        button("New random key", act(() => (this.frame.key = [...crypto.getRandomValues(new Uint8Array(4))]))),
        button("Reset", () => this.put(this.begin)),
        ...copyButtons(() => ({ bytes: this.frame.bytes, text: this.frame.payload }), (text) => this.tell(text)),
      ),
    );
  }

  listen() {
    const bitOf = (event) => event.target.closest("[data-bit]");
    this.words.addEventListener("click", (event) => bitOf(event) && this.flip(+bitOf(event).dataset.bit));
    const under = (node) => node.closest("[data-bit]")?.dataset.bit ?? (node.dataset.byte && 8 * node.dataset.byte);
    this.words.addEventListener("focusin", (event) => {
      this.explain(under(event.target));
      if (bitOf(event)) this.move(+bitOf(event).dataset.bit);
    });
    onPointer(this.words, (node) => this.explain(under(node)), () => this.pinned());
    this.words.addEventListener("keydown", (event) => this.key(event, bitOf(event)));
    this.words.addEventListener("input", ({ target }) => {
      if (!/^[0-9a-f]{2}$/i.test(target.value)) return;
      const at = +target.dataset.byte;
      this.act(() => this.frame.change(at, parseInt(target.value, 16)));
      const next = this.words.querySelector(`[data-byte="${at + 1}"]`) ?? this.words.querySelector(`[data-byte="${at}"]`);
      next.focus();
      next.select();
    });
    this.words.addEventListener("focusout", ({ target }) => {
      if (target.dataset.byte) target.value = hex(this.frame.bytes[+target.dataset.byte] ?? 0); // half a byte is none
    });
  }

  key(event, bit) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { key } = event;
    if (!bit) {
      // From a byte that is typed back to its bits.
      if (key === "Enter") this.focus(8 * event.target.dataset.byte);
      return;
    }
    const at = +bit.dataset.bit;
    const last = this.words.querySelectorAll("[data-bit]").length - 1;
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - 32, ArrowDown: at + 32, Home: 0, End: last }[key];
    if (to !== undefined) {
      if (0 <= to && to <= last) this.focus(to);
    } else if (/^[0-9a-f]$/i.test(key)) {
      const field = this.words.querySelector(`[data-byte="${at >> 3}"]`);
      field.focus();
      field.value = key;
    } else return;
    event.preventDefault();
  }

  focus(bit) {
    this.words.querySelector(`[data-bit="${bit}"]`)?.focus();
  }

  // One bit alone can be reached with Tab: the last that was.
  move(bit) {
    this.here = bit;
    for (const one of this.words.querySelectorAll("[data-bit]")) one.tabIndex = +one.dataset.bit === bit ? 0 : -1;
  }

  flip(bit) {
    const at = bit >> 3;
    this.act(() => this.frame.change(at, this.frame.bytes[at] ^ (0x80 >> bit % 8)));
    this.focus(bit);
    this.explain(bit);
  }

  typed() {
    const { value } = this.payload;
    const digits = value.replace(/[\s:,]|0x/gi, "");
    const hexed = this.as.value === "hex";
    const wrong = hexed && !/^([0-9a-f]{2})*$/i.test(digits);
    this.payload.setAttribute("aria-invalid", wrong);
    if (wrong) return this.notTaken("hex is two digits from 0 to f for each byte.");
    const bytes = hexed ? Uint8Array.from(digits.match(/../g) ?? [], (byte) => parseInt(byte, 16)) : new TextEncoder().encode(value);
    this.act(() => this.frame.type(bytes.slice(0, MOST)), true);
    if (bytes.length > MOST) this.tell(`Of ${bytesOf(bytes.length)} the first ${MOST.toLocaleString("en")} are taken.`);
  }

  // Instead of the verdict, which would be that of the frame before.
  notTaken(why) {
    this.tell("");
    this.verdict.replaceChildren(make("b", { text: "… Not taken yet: " }), why);
  }

  put(bytes) {
    this.act(() => (this.frame = new FrameInHand(bytes)));
  }

  act(what, typing = false) {
    what();
    this.tell("");
    this.draw(typing);
  }

  tell(text) {
    this.told.textContent = this.kernel.dead ? RESTARTED : text;
  }

  draw(typing = false) {
    const { frame } = this;
    const bytes = frame.bytes;
    this.verdict.replaceChildren(...this.judged(bytes));
    this.opcode.value = frame.first & 0xf;
    this.form.value = frame.wanted;
    const passed = STOPS.findLastIndex((stop) => BigInt(stop) <= frame.length);
    this.slider.value = passed;
    this.slider.setAttribute("aria-valuetext", bytesOf(Number(frame.length)));
    if (+this.count.value !== Number(frame.length) || !this.count.value) this.count.value = frame.length;
    this.count.removeAttribute("aria-invalid");
    if (!typing) this.write();
    this.drawWords(bytes);
    this.cards.mark(bytes);
  }

  // The payload as it was typed, or as it became; as hex where it is no text that a field can hold.
  write() {
    const { frame } = this;
    const shown = frame.length < BigInt(frame.typed.length) ? frame.payload : frame.typed;
    if (this.as.value === "text" && (notUtf8(shown, true) >= 0 || shown.includes(13))) {
      this.as.value = "hex";
      this.tell("The payload is not UTF-8, or has a carriage return: it is shown as hex.");
    }
    this.payload.value = this.as.value === "hex" ? inHex(shown) : asText(shown);
    this.payload.removeAttribute("aria-invalid");
  }

  judged(bytes) {
    const said = judge(bytes, this.rules);
    const strong = (text) => make("b", { text });
    if (said.refused) {
      const { field, offset, message, section, status_code: code } = said.refused;
      return [strong("✗ Must be refused: "), `${field} at byte ${offset}: ${message} (`, linkTo(section), `); status code ${code}`];
    }
    if (!said.whole) {
      const announced = said.announced.toLocaleString("en");
      return [strong("… Not whole: "), `${announced} bytes of payload are announced, and ${said.there.toLocaleString("en")} are sent.`];
    }
    return [strong("✓ Legal"), ` as a client's first frame${said.fragment ? ": a fragment, after which others must follow" : ""}.`];
  }

  drawWords(bytes) {
    const focused = this.words.contains(document.activeElement) ? { ...document.activeElement.dataset } : {};
    const frame = split(bytes);
    const drawn = Math.min(bytes.length, frame.start + DRAWN);
    this.here = Math.min(this.here, 8 * drawn - 1);
    const rows = [];
    for (let at = 0; at < drawn; at += 4) {
      const row = make("div", { class: "wsedu-word" });
      for (let i = at; i < Math.min(at + 4, drawn); i++) row.append(this.byte(frame, bytes, i));
      rows.push(row);
    }
    const more = bytes.length - drawn;
    if (more) rows.push(make("div", { class: "wsedu-more", text: `… ${bytesOf(more)} more of payload …` }));
    this.words.replaceChildren(...rows);
    if (focused.bit) this.focus(Math.min(+focused.bit, 8 * drawn - 1));
  }

  // The field that a byte behind the second belongs to: its kind, its name, and where in the field it is.
  place(frame, at) {
    if (at < 2) return { kind: "frame header", index: at };
    if (at < frame.at) return { kind: "frame header", name: "extended payload length", index: at - 2 };
    if (at < frame.start) return { kind: "masking key", name: "masking key", index: at - frame.at };
    return { kind: "payload", name: "payload", index: at - frame.start };
  }

  // A byte: its fields above its bits, and beneath them the byte itself. Of the payload it is a lens: what was said above
  // what is sent, and under that the byte of the key which makes the one the other.
  byte(frame, bytes, at) {
    const { kind, name, index } = this.place(frame, at);
    const over = make("div", { class: "wsedu-over" });
    if (at < 2)
      for (const { name: field, bits } of this.rules.fields[at]) over.append(make("span", { text: field, style: `grid-column:${bits[0] + 1}/${bits[1] + 1}` }), " ");
    else if (!index || at % 4 === 0) over.append(make("span", { class: "wsedu-name", text: index && kind !== "payload" ? `${name} (continued)` : name }), " ");
    if (kind === "payload") over.append(make("b", { class: "wsedu-letter", text: this.letter(frame.payload[index]) }));
    const row = make("div", { class: "wsedu-bits" });
    for (let i = 0; i < 8; i++) {
      const bit = (bytes[at] >> (7 - i)) & 1;
      const field = name ?? this.rules.fields[at].find(({ bits }) => i < bits[1]).name;
      const on = { "data-bit": 8 * at + i, "aria-pressed": Boolean(bit), "aria-label": `${bit}, ${field}, byte ${at}, bit ${i}` };
      row.append(make("button", { type: "button", text: bit, tabindex: 8 * at + i === this.here ? 0 : -1, ...on }));
    }
    const field = make("input", { value: hex(bytes[at]), maxlength: "2", "data-byte": at, tabindex: "-1", "aria-label": `byte ${at}: ${name ?? "header"}` });
    Object.assign(field, { spellcheck: false, autocomplete: "off" });
    const box = make("div", { class: "wsedu-byte" }, make("div", { class: "wsedu-tinted", style: this.looks[kind].style }, over, row, make("div", { class: "wsedu-under" }, field)));
    if (kind === "payload" && frame.key) box.append(make("div", { class: "wsedu-key", style: this.looks["masking key"].style, text: `⊕ ${hex(frame.key[index % 4])}` }));
    return box;
  }

  letter(byte) {
    return printable(byte) === "·" ? hex(byte) : String.fromCharCode(byte);
  }

  // What is pointed at is explained in passing; what has the focus stays explained.
  pinned() {
    const { bit, byte } = this.words.contains(document.activeElement) ? document.activeElement.dataset : {};
    if (bit ?? byte) this.explain(bit ?? 8 * byte);
    else if (!this.said.contains(document.activeElement)) this.said.textContent = FRAME_HINT; // a link may have the focus
  }

  // Beneath the diagram: what a bit, or the byte that it is in, says.
  explain(bit) {
    const bytes = this.frame.bytes;
    const at = bit >> 3;
    if (bit === undefined || at >= bytes.length) return;
    const frame = split(bytes);
    const { name, index, kind } = this.place(frame, at);
    const here = hex(bytes[at]);
    if (at < 2) {
      const field = this.rules.fields[at].find(({ bits }) => bit % 8 < bits[1]);
      const value = (bytes[at] >> (8 - field.bits[1])) & ((1 << (field.bits[1] - field.bits[0])) - 1);
      const { refused } = judge(bytes, this.rules); // which knows that no extension is in use
      const { message, section } = refused?.field === field.name ? refused : told(field.says, value);
      const meaning = message.replace(new RegExp(`^${value}[,:] `), ""); // where it says the value itself
      return this.said.replaceChildren(make("b", { text: `${field.name} = ${value}: ` }), `${meaning} (`, linkTo(section), ")");
    }
    const words = [`${name}, byte ${index}: `];
    if (kind === "payload") {
      const byte = frame.payload[index];
      const letter = this.letter(byte) === hex(byte) ? "" : `, the letter ${this.letter(byte)}`;
      words.push(frame.key ? `${here} XOR ${hex(frame.key[index % 4])} of the key is ${hex(byte)}${letter} (` : `${here}${letter} (`, linkTo(frame.key ? "RFC 6455, 5.3" : "RFC 6455, 5.2"));
    } else if (kind === "masking key") words.push(`${here} is XORed over the payload's bytes ${index}, ${index + 4}, ${index + 8} and so on (`, linkTo("RFC 6455, 5.3"));
    else words.push(`${here} of ${frame.length.toLocaleString("en")}, as ${frame.form} bits in network byte order (`, linkTo("RFC 6455, 5.2"));
    this.said.replaceChildren(make("b", { text: words[0] }), ...words.slice(1), ")");
  }

  ask() {
    const bytes = this.frame.bytes;
    const answer = this.cards.add(bytes, ...this.judged(bytes));
    const say = (text) => answer.replaceChildren(make("p", { text }));
    say("Asking both servers …");
    this.kernel.ask("send", bytes, { answered: (html) => showPicture(answer, html), waits: say, failed: say });
  }
}

function render({ model, el }) {
  const builder = new FrameBuilder(model);
  return inPlaceOfTwin(model, el, builder.root, () => builder.kernel.close());
}

export { FrameInHand, judge };
export default { render };
