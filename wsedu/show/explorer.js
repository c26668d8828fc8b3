// SPDX-License-Identifier: GPL-2.0-or-later
// The byte map as a widget: one, or several side by side. It stands behind byte_pane.js.

function render({ model, el }) {
  const draw = () => el.replaceChildren(byteMaps(model.get("sides"), model.get("looks"), model.get("data")));
  draw();
  model.on("change:sides", draw);
  const showTwin = hideTwin(el, model.get("twin"));
  return () => {
    showTwin();
    model.off("change:sides", draw);
  };
}

export default { render };
