// SPDX-License-Identifier: GPL-2.0-or-later
// The cost slider: range inputs, each with its label and its value in words, and the picture that the kernel draws of what
// they say. It stands behind byte_pane.js and kernel.js.

const SLIDER_HINT = "Move a slider, by mouse or with the arrow keys: the upright line marks the rate that is chosen.";

function render({ model, el }) {
  const chosen = [...model.get("chosen")];
  const shown = make("div", { class: "wsedu-drawn" });
  const told = make("div", { class: "wsedu-hint", role: "status" });
  const tell = (text) => (told.textContent = text);
  const kernel = new KernelQuestions(model, tell);
  const sliders = model.get("sliders").map(([name, values], i) => {
    const input = make("input", { type: "range", min: 0, max: values.length - 1, step: 1 });
    const output = make("output");
    const say = () => {
      output.textContent = values[input.value];
      input.setAttribute("aria-valuetext", output.textContent);
    };
    input.value = chosen[i];
    input.addEventListener("input", () => {
      chosen[i] = +input.value;
      say();
      kernel.ask("draw", Uint8Array.from(chosen), { answered: tell, waits: tell, failed: tell });
    });
    say();
    return make("label", { class: "wsedu-slider" }, make("span", { text: name }), input, output);
  });
  const draw = () => showPicture(shown, model.get("shown"));
  model.on("change:shown", draw);
  draw();
  const controls = make("div", { class: "wsedu-sliders" }, ...sliders);
  const hint = make("p", { class: "wsedu-hint", text: SLIDER_HINT });
  return inPlaceOfTwin(model, el, make("div", { class: "wsedu-explorer" }, hint, controls, told, shown), () => {
    model.off("change:shown", draw);
    kernel.close();
  });
}

export default { render };
