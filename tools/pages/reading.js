// SPDX-License-Identifier: GPL-2.0-or-later
// On paper nothing can be opened: the hints of the prose are, as long as it is printed.

{
  let shut = [];
  addEventListener("beforeprint", () => {
    shut = [...document.querySelectorAll(".jp-MarkdownOutput details:not([open])")];
    for (const one of shut) one.open = true;
  });
  addEventListener("afterprint", () => {
    for (const one of shut) one.open = false;
  });
}
