// Runs microgpt.py under CPython as WebAssembly (the npm package pyodide): the doctests, then the
// Python code in the file named by the second argument, with its standard output as ours.
// Usage: node pyodide.mjs PYODIDE_FOLDER SCRIPT DATASET
import { readFileSync, writeSync } from "node:fs";

const [folder, script, dataset] = process.argv.slice(2);
const { loadPyodide } = await import(`${folder}/pyodide.mjs`);
const python = await loadPyodide({ indexURL: folder });
python.setStdout({ write: (bytes) => writeSync(1, bytes) });
python.setStderr({ write: (bytes) => writeSync(2, bytes) });
python.FS.writeFile("/home/pyodide/microgpt.py", readFileSync("microgpt.py"));
python.FS.writeFile("/home/pyodide/names.txt", readFileSync(dataset));
process.exitCode = python.runPython(`
import doctest, sys, microgpt
print("CPython", sys.version, file=sys.stderr)
result = doctest.testmod(microgpt)
print(result, file=sys.stderr)
sys.argv = ["", "names.txt"]
1 if result.failed or not result.attempted else 0
`);
python.runPython(readFileSync(script, "utf8"));
