// SPDX-License-Identifier: GPL-2.0-or-later
// What tools/readme_animation.py lets a browser do.

// A pointer as the reader's own, drawn into the page: pictures of a page show none.
window.pointAt = (x, y) => {
  if (!document.querySelector("#pointer"))
    document.body.insertAdjacentHTML(
      "beforeend",
      `<svg id="pointer" width="22" height="30" viewBox="0 0 22 30" style="position:fixed;z-index:9999;pointer-events:none">
      <path d="M1 1v22l5-5 4 10 4-2-4-9h8z" fill="#fff" stroke="#000" stroke-width="1.5"/></svg>`,
    );
  Object.assign(document.querySelector("#pointer").style, { left: `${x}px`, top: `${y}px` });
};

// The first `height` rows of a PNG as WebP, both in base64. What is as it was in the PNG before becomes transparent.
let before = [];
window.webp = async (png, height) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(image.width, height);
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const now = context.getImageData(0, 0, image.width, height);
  const pixels = new Uint32Array(now.data.buffer);
  const all = pixels.slice();
  pixels.forEach((pixel, at) => {
    if (pixel === before[at]) pixels[at] = 0;
  });
  before = all;
  context.putImageData(now, 0, 0);
  const blob = await canvas.convertToBlob({ type: "image/webp", quality: 0.9 });
  return btoa(Array.from(new Uint8Array(await blob.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(""));
};
