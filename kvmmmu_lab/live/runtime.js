// SPDX-License-Identifier: GPL-2.0-only
// Runs in the kernel's worker instead of Pyodide's own script: starts Pyodide with the kit, and Graphviz beside it. In a worker
// that has started early, the kernel asks for it a second time, and gets the Python that is there.
if (!self.kvmmmuPython) {
  const live = self.kvmmmuLive;
  const { root, pyodide, settings } = live;

  const failed = (what, error) => {
    live.tell({ kind: "error", text: `${what} (${live.reason(error)})` });
    return error;
  };

  // each file that Pyodide fetches is kept, and counted for the reader
  self.fetch = (input, options) => {
    const url = new URL(typeof input === "string" ? input : (input.url ?? input.href), self.location.href).href;
    const plain = !options?.method || options.method === "GET";
    if (!plain || !live.isFixed(url)) return live.fetch(input, options);
    const file = live.get(url, options, (bytes) => live.tell({ kind: "bytes", url, bytes }));
    file.catch((error) => (lost = error));
    return file;
  };
  let lost = null; // why the last file could not be had: Pyodide goes on without a package, and says so only on the console

  // Pyodide's own packages and ours, all with whole addresses
  const lockFile = async () => {
    const lock = await (await self.fetch(`${pyodide}pyodide-lock.json`)).json();
    for (const one of Object.values(lock.packages)) one.file_name = new URL(one.file_name, pyodide).href;
    for (const [name, one] of Object.entries(settings.packages)) {
      // ours replaces Pyodide's, also where only the spelling of the name differs
      for (const other of Object.keys(lock.packages)) if (plainName(other) === plainName(name)) delete lock.packages[other];
      lock.packages[name] = { ...one, file_name: new URL(one.file_name, root).href };
    }
    return URL.createObjectURL(new Blob([JSON.stringify(lock)], { type: "application/json" }));
  };
  const plainName = (name) => name.toLowerCase().replace(/[_.]/g, "-");

  const script = async (url) => {
    const text = await (await self.fetch(url)).text();
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    importScripts(address);
    URL.revokeObjectURL(address);
  };

  const graphviz = async () => {
    const module = await import(`${live.here}graphviz.js`);
    return module.Graphviz.load();
  };

  // Packages that only some cells need are loaded before the first such cell.
  const loadLater = (python) => {
    const later = new Map(Object.entries(settings.later).map(([name, pattern]) => [name, new RegExp(pattern)]));
    const fromImports = python.loadPackagesFromImports;
    python.loadPackagesFromImports = async (code, options) => {
      if (/\/exercises\//.test(python.FS.cwd()) || /\bkvmmmu_lab\.check\b/.test(code)) warmJudge();
      for (const [name, pattern] of later)
        if (pattern.test(code)) {
          await python.loadPackage(name, options);
          later.delete(name);
        }
      return fromImports(code, options);
    };
  };

  // What the first cell of a lesson imports. The kernel comes first: the widgets look for it when they are imported.
  const COURSE = "import pyodide_kernel, ipywidgets, anywidget, kvmmmu_lab.labs, kvmmmu_lab.lessons";

  // The kernel starts with a few programs in Python; the last of them imports it.
  const sayWhenReady = (python, then) => {
    const run = python.runPythonAsync;
    python.runPythonAsync = async (code, options) => {
      try {
        const result = await run(code, options);
        if (code.includes("import pyodide_kernel")) {
          live.tell({ kind: "ready" });
          const failed = (error) => console.warn("the next visit starts Python as this one did", error);
          setTimeout(() => then().catch(failed), 1000); // JupyterLab greets its kernel first
        }
        return result;
      } catch (error) {
        throw code.includes("piplite") ? failed("Python has started, but not its kernel.", error) : error;
      }
    };
  };

  // What Python's `sandbox.in_kernel` uses to stop code that is late: Pyodide looks at `interrupt[0]` between two instructions.
  const provideWatch = (python) => {
    let late = Infinity;
    const interrupt = {
      get 0() {
        if (performance.now() < late) return 0;
        late = Infinity;
        return 2; // SIGINT
      },
      set 0(_) {},
    };
    self.kvmmmu_watch = (seconds) => {
      late = seconds < 0 ? Infinity : performance.now() + 1000 * seconds;
      python.setInterruptBuffer(seconds < 0 ? undefined : interrupt);
    };
  };

  // What Python's `sandbox.tab` uses to judge submissions in workers of their own. It is there once the host listens: before,
  // a message to it would wait in this worker, which a check makes wait.
  let warmJudge = () => undefined;
  const startJudgeHost = (lockFileURL) => {
    const id = Math.random().toString(36).slice(2);
    const host = new Worker(`${live.here}judge_host.js`);
    host.onmessage = () => {
      self.kvmmmu_judge = {
        post: (text) => host.postMessage(text),
        ask: (text) => {
          try {
            const request = new XMLHttpRequest();
            request.open("POST", `${root}api/kvmmmu-judge`, false);
            request.send(JSON.stringify({ ...JSON.parse(text), id }));
            return request.status === 200 ? request.responseText : "";
          } catch {
            return ""; // no service worker, and no server either
          }
        },
      };
    };
    host.postMessage({ do: "hello", id, lockFileURL });
    // where a check is likely, a worker gets ready for it
    warmJudge = () => {
      warmJudge = () => undefined;
      host.postMessage({ do: "warm" });
    };
  };

  const KEEP_MS = 20000; // a lesson's first pictures come before what only the next visit needs

  const start = async () => {
    try {
      importScripts(`${pyodide}pyodide.js`);
    } catch (error) {
      throw failed(`Python can't be loaded from ${pyodide}.`, error);
    }
    importScripts(`${live.here}kept_python.js`);
    const kept = self.kvmmmuKeptPython;
    const load = self.loadPyodide;
    self.loadPyodide = self.kvmmmuPython;
    try {
      const drawing = graphviz();
      drawing.catch(() => undefined); // looked at below
      const [lockFileURL] = await Promise.all([lockFile(), script(`${pyodide}pyodide.asm.js`)]);
      const python = await kept.start(load, { indexURL: pyodide, lockFileURL });
      const restored = await kept.restorePackages(python);
      if (!restored) await python.loadPackage(settings.first);
      const packages = { ...python.loadedPackages };
      const loaded = new Set(Object.keys(packages).map(plainName));
      const without = settings.first.filter((name) => !loaded.has(plainName(name)));
      if (without.length) throw lost ?? new Error(`without ${without.join(", ")}`);
      live.tell({ kind: "starting" });
      provideWatch(python);
      startJudgeHost(lockFileURL);
      loadLater(python);
      self.kvmmmu_graphviz = await drawing;
      sayWhenReady(python, async () => {
        try {
          python.runPython(COURSE);
        } finally {
          kept.end(python);
        }
        await new Promise((done) => setTimeout(done, KEEP_MS));
        if (!restored) await kept.keepPackages(python, packages);
        await kept.keepMemory(python);
      });
      return python;
    } catch (error) {
      throw failed("Python can't be started.", error);
    }
  };
  let started;
  self.kvmmmuPython = () => (started ??= start());
  self.loadPyodide = self.kvmmmuPython;
  self.kvmmmuEarlyPython = async () => {
    const python = await self.kvmmmuPython();
    python.runPython(COURSE);
  };
}
