// SPDX-License-Identifier: GPL-2.0-or-later
// A kernel's worker. It starts Python at once, while JupyterLab is still loading, and gives that Python to JupyterLite's
// own worker, which takes this module for Pyodide's.
import "WORKER";
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
