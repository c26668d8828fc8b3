// SPDX-License-Identifier: GPL-2.0-or-later
// A slider over a few values: a range input with its label, and the value in words.

const PATIENCE = 3000; // milliseconds that the kernel may take before something is said
const SILENT = "The kernel says nothing: it is busy, or it was restarted. Then run this cell again.";

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
    output.title = "";
    input.setAttribute("aria-valuetext", output.textContent);
  };
  let timer;
  const heard = () => {
    clearTimeout(timer);
    show();
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      output.textContent = "kernel silent";
      output.title = SILENT;
    }, PATIENCE);
    model.set("index", +input.value);
    try {
      model.save_changes();
      model.send("heard?");
    } catch {
      // the kernel that made this widget is gone, which is said soon
    }
  });
  input.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab has commands on the same keys
  model.on("change:index", show);
  model.on("msg:custom", heard);
  show();
  el.replaceChildren(label);
  return () => {
    clearTimeout(timer);
    model.off("change:index", show);
    model.off("msg:custom", heard);
  };
}

export default { render };
