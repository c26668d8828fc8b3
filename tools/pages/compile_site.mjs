// SPDX-License-Identifier: GPL-2.0-or-later
// Compile all modules below a folder with the Python that will run them: node compile_site.mjs PYODIDE FOLDER
const [, , home, folder] = process.argv;
const { loadPyodide } = await import(`${home}/pyodide.mjs`);
const python = await loadPyodide({ indexURL: `${home}/` });
python.mountNodeFS("/mnt", folder);
python.runPython(`
import compileall, os, py_compile, warnings
warnings.simplefilter("ignore")
for wheel in os.listdir("/mnt"):
    compileall.compile_dir(f"/mnt/{wheel}", maxlevels=30, quiet=1, legacy=True, force=True,
        stripdir=f"/mnt/{wheel}", prependdir="/lib/python3.14/site-packages",
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
`);
