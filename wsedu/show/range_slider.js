// SPDX-License-Identifier: GPL-2.0-or-later
// A slider over a few values: a range input with its label, and the value in words.

function render({ model, el }) {
  const label = document.createElement("label");
  const name = document.createElement("span");
  const input = document.createElement("input");
  const output = document.createElement("output");
  label.className = "wsedu-slider";
  name.textContent = model.get("name");
  Object.assign(input, { type: "range", min: 0, max: model.get("shown").length - 1, step: 1 });
  label.append(name, input, output);
  const show = () => {
    const index = model.get("index");
    input.value = index;
    output.textContent = model.get("shown")[index];
    input.setAttribute("aria-valuetext", output.textContent);
  };
  input.addEventListener("input", () => {
    model.set("index", +input.value);
    model.save_changes();
  });
  input.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab has commands on the same keys
  model.on("change:index", show);
  show();
  el.replaceChildren(label);
  return () => model.off("change:index", show);
}

export default { render };
