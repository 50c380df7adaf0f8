// Runs 100 steps of microgpt.py on Korean names under CPython as WebAssembly (the npm package
// pyodide), with its standard output as ours. Usage: node pyodide.mjs PYODIDE_FOLDER
import { readFileSync, writeSync } from "node:fs";

const folder = process.argv[2];
const { loadPyodide } = await import(`${folder}/pyodide.mjs`);
const python = await loadPyodide({ indexURL: folder });
python.setStdout({ write: (bytes) => writeSync(1, bytes) });
python.FS.writeFile("/home/pyodide/microgpt.py", readFileSync("microgpt.py"));
python.FS.writeFile("/home/pyodide/names.txt", readFileSync("tests/data/korean_names.txt"));
python.runPython(`
import doctest, sys, microgpt
print("CPython", sys.version, file=sys.stderr)
result = doctest.testmod(microgpt)
assert result.attempted and not result.failed, result
microgpt.main(["names.txt", "--num_steps", "100"])
`);
