// SPDX-License-Identifier: GPL-2.0-only
// Starts Pyodide faster on the next visit. Two things are kept in the browser: the memory of a Python that has just started and
// imported what a lesson needs of Python's own library; and the files of the packages, unpacked, with the bytecode of all that
// the kernel and a lesson's first cell import. Without them, or if they can't be used, Pyodide starts and loads as usual.
self.kvmmmuKeptPython = (() => {
  const live = self.kvmmmuLive;
  const { pyodideBuild } = live.settings;
  const MEMORY = new URL(`memory-${pyodideBuild}`, live.pyodide).href; // with Pyodide, since it is the same for each build of the course
  const FILES = new URL(`packages-${pyodideBuild}`, live.here).href;
  const BYTECODE = "/tmp/bytecode";

  const open = async (url) => (self.caches ? live.open(url) : undefined); // without https there is nothing to keep it in
  const digest = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).join(" ");

  const keep = async (url, parts) => {
    const bytes = await new Blob(parts).arrayBuffer();
    await (await open(url))?.put(url, new Response(bytes, { headers: { Digest: await digest(bytes) } }));
  };

  /** What was kept, or undefined. A damaged memory would make Pyodide wait for ever. */
  const read = async (url) => {
    const cache = await open(url);
    const found = await cache?.match(url);
    if (!found) return undefined;
    const bytes = await found.arrayBuffer();
    if (found.headers.get("Digest") === (await digest(bytes))) return new Uint8Array(bytes);
    await cache.delete(url);
    return undefined;
  };

  /** Start Pyodide without packages. `load` is its own `loadPyodide`. */
  const start = async (load, options) => {
    const memory = await read(MEMORY);
    if (!memory) return load(options);
    try {
      const python = await load({ ...options, _loadSnapshot: memory });
      python.runPython(RANDOM);
      return python;
    } catch (error) {
      await (await open(MEMORY)).delete(MEMORY); // so the next attempt is without it
      throw error;
    }
  };
  const RANDOM = "import sys\nif 'random' in sys.modules: sys.modules['random'].seed()"; // or else the same numbers each time

  // The modules of Python's library that have been imported. Pyodide's own hold objects of the browser, which can't be kept.
  const MODULES = `
import sys
library = next(path for path in sys.path if path.endswith(".zip"))
origins = {name: getattr(getattr(module, "__spec__", None), "origin", None) for name, module in sys.modules.items()}
"\\n".join(name for name, origin in origins.items() if origin and origin.startswith(library) and "pyodide" not in name)
`;

  // Pyodide can copy only the memory of a Python that was started for it, and a learner's is not.
  const keepMemory = async (python) => {
    const cache = await open(MEMORY);
    if (!cache || (await cache.match(MEMORY))) return;
    const globals = python.toPy({});
    const modules = python.runPython(MODULES, { globals }).split("\n");
    globals.destroy();
    new Worker(`${live.here}memory_worker.js`).postMessage({ modules });
  };

  // A Python writes bytecode to BYTECODE: no folder of a learner gets any.
  const begin = (python) => python.runPython(`import sys\nsys.pycache_prefix, sys.dont_write_bytecode = "${BYTECODE}", False`);
  const end = (python) => python.runPython("import sys\nsys.dont_write_bytecode = True"); // a learner's own modules change

  /** Put the packages of an earlier visit into a Python without any. Return whether there were such. */
  const restorePackages = async (python) => {
    begin(python);
    const bytes = await read(FILES);
    if (!bytes) return false;
    const { FS } = python;
    const from = 4 + new DataView(bytes.buffer).getUint32(0, true);
    const { packages, files } = JSON.parse(new TextDecoder().decode(bytes.subarray(4, from)));
    const folders = new Set();
    let at = from;
    for (const [path, size] of files) {
      const folder = path.slice(0, path.lastIndexOf("/"));
      if (!folders.has(folder)) FS.mkdirTree(folder);
      folders.add(folder);
      FS.writeFile(path, bytes.subarray(at, (at += size)), { canOwn: true }); // without a copy
    }
    Object.assign(python.loadedPackages, packages);
    python.runPython("import importlib\nimportlib.invalidate_caches()");
    return true;
  };

  const filesIn = (FS, folder) =>
    FS.readdir(folder)
      .filter((name) => name !== "." && name !== "..")
      .map((name) => `${folder}/${name}`)
      .flatMap((path) => (FS.isDir(FS.stat(path).mode) ? filesIn(FS, path) : [path]));

  /** Keep the packages of a Python, and the bytecode that it has written. */
  const keepPackages = async (python, packages) => {
    const { FS } = python;
    const folder = python.runPython("import site\nsite.getsitepackages()[0]");
    const compiled = `${BYTECODE}/lib`;
    const paths = [...filesIn(FS, folder), ...(FS.analyzePath(compiled).exists ? filesIn(FS, compiled) : [])];
    const contents = paths.map((path) => {
      const content = FS.readFile(path);
      // a source has the date of its unpacking; the second word of the header says that bytecode is right whatever the date is
      if (path.endsWith(".pyc")) content.fill(0, 4, 16).fill(1, 4, 5);
      return content;
    });
    const header = new TextEncoder().encode(JSON.stringify({ packages, files: paths.map((path, number) => [path, contents[number].length]) }));
    const length = new DataView(new ArrayBuffer(4));
    length.setUint32(0, header.length, true);
    await keep(FILES, [length.buffer, header, ...contents]);
  };

  return { MEMORY, start, keep, keepMemory, restorePackages, keepPackages, end };
})();
