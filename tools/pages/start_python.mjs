// SPDX-License-Identifier: GPL-2.0-or-later
// In the place of Pyodide's own module, which is loader.mjs: a worker that imports it starts Python at once, and a kernel
// that asks for Python gets that one.
import { loadPyodide as load } from "./loader.mjs";

async function start() {
    const python = await load({
        packages: ["ipython", "wsedu", "wsedu-site"],
        env: { PYTHONSTARTUP: "/lib/python3.14/site-packages/wsedu_site_startup.py" },
    });
    python.runPython("import pyodide_kernel, wsedu");
    return python;
}

const python = start();
export const loadPyodide = () => python;
