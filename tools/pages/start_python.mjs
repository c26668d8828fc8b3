// SPDX-License-Identifier: GPL-2.0-or-later
// In the place of Pyodide's own module, which is loader.mjs: a worker that imports it starts Python at once, and a kernel
// that asks for Python gets that one. (The OPTIONS are build_site.py's.)
import { loadPyodide as load } from "./loader.mjs";

async function start() {
    const python = await load(OPTIONS);
    python.runPython("import pyodide_kernel, wsedu");
    return python;
}

const python = start();
export const loadPyodide = () => python;
