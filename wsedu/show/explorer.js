// SPDX-License-Identifier: GPL-2.0-or-later
// The byte map as a widget: one, or several side by side. It stands behind byte_pane.js.

const HINT = "Point at a byte or a field. By keyboard: Tab to the bytes or the fields, then the arrow keys, Home, End and Enter.";

function render({ model, el }) {
  const draw = () => {
    const all = panes(model.get("sides"), model.get("looks"), model.get("data"));
    const maps = make("div", { class: "wsedu-panes" }, ...all.map((pane) => pane.root));
    el.replaceChildren(make("div", { class: "wsedu-explorer" }, make("div", { class: "wsedu-hint", text: HINT }), maps));
  };
  draw();
  model.on("change:sides", draw);
  const showTwin = hideTwin(el, model.get("twin"));
  return () => {
    showTwin();
    model.off("change:sides", draw);
  };
}

export default { render };
