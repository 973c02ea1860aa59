// SPDX-License-Identifier: GPL-2.0-only
// Starts Python in a worker while JupyterLab is still loading, and gives JupyterLab this worker for its first kernel.
{
  const live = self.kvmmmuLive;
  const KERNEL = /\/@jupyterlite\/pyodide-kernel-extension\/static\/[^/]*$/; // its script is the only worker from there

  // A worker reads the reader's files through the service worker. On a first visit there is none when it starts.
  const ours = navigator.serviceWorker?.controller?.scriptURL.startsWith(live.root);
  const notebook = new URLSearchParams(location.search).get("path")?.endsWith(".ipynb");
  if (ours && notebook) {
    const Plain = self.Worker;
    const early = new Plain(`${live.here}early_kernel_worker.js`);
    early.addEventListener("error", () => (self.Worker = Plain));
    self.Worker = class extends Plain {
      constructor(url, options) {
        if (!KERNEL.test(url)) return super(url, options);
        self.Worker = Plain; // a second kernel, or one that is started again, has a worker of its own
        early.postMessage({ kernel: String(url) });
        return early;
      }
    };
  }
}
