// SPDX-License-Identifier: GPL-2.0-or-later
// The byte map as a widget: one, or several side by side. It stands behind byte_pane.js.

function render({ model, el }) {
  return inPlaceOfTwin(model, el, byteMaps(model.get("sides"), model.get("looks"), model.get("data")));
}

export default { render };
