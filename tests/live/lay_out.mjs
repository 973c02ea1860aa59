// SPDX-License-Identifier: GPL-2.0-only
// Graphviz in WebAssembly for a Python on this computer: reads lines with DOT in JSON, writes lines with SVG in JSON.
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const { Graphviz } = await import(pathToFileURL(process.argv[2]).href);
const graphviz = await Graphviz.load();
for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(graphviz.layout(JSON.parse(line), "svg"))}\n`);
