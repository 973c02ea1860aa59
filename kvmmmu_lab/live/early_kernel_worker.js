// SPDX-License-Identifier: GPL-2.0-only
// Runs in a worker before JupyterLab asks for a kernel: Python starts, and imports what every kernel and lesson imports. When
// JupyterLab asks, the page names the script of its kernel, which finds Python started.
{
  self.addEventListener("message", ({ data }) => importScripts(data.kernel), { once: true });
  importScripts(`${self.kvmmmuLive.here}runtime.js`);
  self.kvmmmuEarlyPython().catch((error) => console.warn("the kernel will say why Python does not start", error));
}
