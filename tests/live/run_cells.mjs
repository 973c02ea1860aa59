// SPDX-License-Identifier: GPL-2.0-only
// Runs cells in JupyterLite's kernel on Pyodide in node, without a browser: node run_cells.mjs SETTINGS.json RESULT.json
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [settingsFile, resultFile] = process.argv.slice(2);
const settings = JSON.parse(await readFile(settingsFile, "utf8"));
const { loadPyodide } = createRequire(import.meta.url)(`${settings.pyodide}/pyodide.js`);
const { Graphviz } = await import(pathToFileURL(settings.graphviz).href);
globalThis.kvmmmu_graphviz = await Graphviz.load();

const { pyodide: indexURL, lock: lockFileURL, packages } = settings;
const python = await loadPyodide({ indexURL, lockFileURL, packages, stdout() {}, stderr() {} });
python.FS.mkdirTree("/drive/notebooks"); // a folder in memory: JupyterLite's drive is in a browser
python.FS.chdir("/drive/notebooks");
const lite = python.pyimport("pyodide_kernel");
const kernel = lite.kernel_instance.copy();
const shell = kernel.interpreter.copy();
const plain = (value) => (value instanceof python.ffi.PyProxy ? value.toJs({ dict_converter: Object.fromEntries }) : value);

let outputs = [];
const add = (output_type, found) => outputs.push({ output_type, ...found });
for (const stream of [lite.stdout_stream, lite.stderr_stream])
  stream.publish_stream_callback = (name, text) => add("stream", { name, text });
shell.display_pub.display_data_callback = (data, metadata) => add("display_data", { data: plain(data), metadata: plain(metadata) });
shell.display_pub.update_display_data_callback = () => undefined; // replaces an output in the notebook's file
shell.displayhook.publish_execution_result = (_, data, metadata) =>
  add("execute_result", { data: plain(data), metadata: plain(metadata) });
shell.send_comm = () => undefined; // nobody looks at the widgets

const results = [];
for (const [number, code] of settings.cells.entries()) {
  outputs = [];
  kernel._parent_header = python.toPy({ header: { msg_id: `run ${number}` }, metadata: { cellId: `cell ${number}` } });
  const { status, ename, evalue, traceback } = plain(await kernel.run(code));
  if (status === "error") add("error", { ename, evalue, traceback });
  results.push(outputs);
}
await writeFile(resultFile, JSON.stringify(results));
process.exit(0); // what follows the progress would go on for ever
