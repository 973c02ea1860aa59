// SPDX-License-Identifier: GPL-2.0-only
// Starts a Pyodide, imports modules of Python's library, keeps its memory for the next visit, and ends.
{
  const live = self.kvmmmuLive;
  const keepMemory = async (modules) => {
    importScripts(`${live.pyodide}pyodide.js`, `${live.here}kept_python.js`);
    const python = await self.loadPyodide({ indexURL: live.pyodide, _makeSnapshot: true });
    python.runPython(`
import importlib
for name in ${JSON.stringify(modules)}:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
del importlib, name
`);
    await self.kvmmmuKeptPython.keep(self.kvmmmuKeptPython.MEMORY, [python.makeMemorySnapshot()]);
  };
  self.onmessage = ({ data }) =>
    keepMemory(data.modules)
      .catch((error) => console.warn("the next visit starts Python as this one did", error))
      .finally(() => self.close());
}
