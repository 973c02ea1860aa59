// SPDX-License-Identifier: GPL-2.0-only
// A second Pyodide, in which a submission runs. It hears the judge's requests and sends answers and output. An endless loop in it
// harms nobody: the host ends this worker.
{
  const live = self.kvmmmuLive;
  const post = self.postMessage.bind(self);
  const say = (name, text, last) => post({ name, text, last });

  // The time at which the submission is late. Pyodide looks here between Python's instructions whether there is a signal.
  const interrupt = {
    late: Infinity,
    get 0() {
      if (performance.now() < this.late) return 0;
      this.late = Infinity;
      return 2; // SIGINT
    },
    set 0(_) {},
  };
  const watch = (seconds) => {
    interrupt.late = seconds < 0 ? Infinity : performance.now() + 1000 * seconds;
  };

  const printer = { write: (bytes) => (say("output", String.fromCharCode(...bytes), false), bytes.length) };

  // How a process would have ended: with a status, or with a signal after a crash.
  const ended = (error) => {
    const status = typeof error?.status === "number" ? error.status : -11;
    post({ state: "ended", status, why: live.reason(error) });
    self.close();
  };

  // A submission is not to fetch the kit's sources or to talk to others. Python refuses to hand out the browser's objects; these
  // are gone besides.
  const DOORS = [
    "fetch", "XMLHttpRequest", "WebSocket", "WebSocketStream", "WebTransport", "EventSource", "BroadcastChannel", "Worker",
    "SharedWorker", "MessageChannel", "importScripts", "indexedDB", "caches", "kvmmmuLive", "kvmmmuSettings", "kvmmmuKeptPython",
  ];
  const closeDoors = () => {
    for (const name of DOORS) {
      for (let owner = Object.getPrototypeOf(self); owner; owner = Object.getPrototypeOf(owner)) delete owner[name];
      delete self[name];
      if (name in self) Object.defineProperty(self, name, { value: undefined });
    }
  };

  const start = async (lockFileURL) => {
    importScripts(`${live.pyodide}pyodide.js`, `${live.here}kept_python.js`);
    const python = await self.kvmmmuKeptPython.start(self.loadPyodide, { indexURL: live.pyodide, lockFileURL });
    await python.loadPackage(live.settings.judge);
    python.setStdout(printer);
    python.setStderr(printer);
    python.setInterruptBuffer(interrupt);
    const begin = python.runPython("from kvmmmu_lab.check.sandbox.tab_runner import begin; begin");
    closeDoors();
    return begin(say, (seconds) => watch(seconds), (status) => ended({ status }));
  };

  let handle;
  self.onmessage = async ({ data }) => {
    try {
      if (data.request === undefined) {
        handle = await start(data.lockFileURL);
        post({ state: "ready" });
      } else handle(data.request);
    } catch (error) {
      if (handle) ended(error);
      else post({ state: "failed", why: live.reason(error) });
    }
  };
}
