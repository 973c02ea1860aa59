// SPDX-License-Identifier: GPL-2.0-only
// The files of the live course that this browser keeps, and the channel on which its scripts talk to each other. This stands
// before each of them; `kvmmmuSettings`, which the build writes, before this.
"use strict";
self.kvmmmuLive = ((settings) => {
  // the root of the live course, whether this is a page of it, its service worker or a kernel's worker
  const root = new URL(".", self.location.href.replace(/\/(extensions|lab|static)\/.*$/, "/")).href;
  const pyodide = new URL(settings.pyodide, root).href;
  const here = new URL(settings.folder, root).href;
  // Several courses may be on one host, so each has its own names. Pyodide stays when only the course has changed.
  const prefix = `kvmmmu-live ${root} `;
  const names = { site: `${prefix}${settings.build}`, pyodide: `${prefix}pyodide ${settings.pyodideBuild}` };
  const channel = new BroadcastChannel(prefix);
  const tell = (message) => channel.postMessage(message);

  // Files whose name or address changes with their content: what was fetched once stays right.
  const isFixed = (url) =>
    url.startsWith(pyodide) ||
    url.startsWith(here) ||
    (url.startsWith(root) && /^(build\/.*\.[0-9a-f]{6,}\.|build\/.*\?_=|extensions\/.*\.[0-9a-f]{8,}\.js|extensions\/.*\.whl$)/.test(url.slice(root.length)));
  const open = (url) => caches.open(url.startsWith(pyodide) ? names.pyodide : names.site);

  // fetch a file and say how much of it has come; `count(bytes)` is called now and then
  const counted = async (url, options, count) => {
    // "force-cache" tells the service worker, too, that whoever asks keeps the file
    const response = await fetchFrom(url, { ...options, cache: "force-cache" }).catch((error) => {
      throw new Error(`${url} did not come whole: ${error.message}`); // no network, or a page of the server in its place
    });
    if (!response.ok) throw new Error(`${url}: the server says ${response.status} ${response.statusText}`);
    if (!response.body || !count) return response;
    let bytes = 0;
    const counter = new TransformStream({
      transform(chunk, controller) {
        bytes += chunk.byteLength;
        count(bytes);
        controller.enqueue(chunk);
      },
    });
    const headers = { "Content-Type": response.headers.get("Content-Type") ?? "application/octet-stream" };
    return new Response(response.body.pipeThrough(counter), { status: response.status, headers });
  };
  const fetchFrom = self.fetch.bind(self);

  // Return a fixed file: the one that is kept, or else the one that is fetched now and kept. The page and the kernel's worker
  // may want the same file at the same time; a lock makes the second wait for the first.
  const get = async (url, options, count) => {
    if (!self.caches || !navigator.locks) return counted(url, options, count); // no https: nothing can be kept
    return navigator.locks.request(`${prefix}${url}`, async () => {
      const cache = await open(url);
      const kept = await cache.match(url);
      if (kept) {
        count?.(Infinity);
        return kept;
      }
      const response = await counted(url, options, count);
      try {
        await cache.put(url, response);
        return (await cache.match(url)) ?? (await fetchFrom(url, options));
      } catch {
        return fetchFrom(url, options); // no room left, or the connection broke; the second attempt says which
      }
    });
  };

  // Delete what an earlier build has kept.
  const forgetOld = async () => {
    const keep = new Set(Object.values(names));
    for (const name of await caches.keys()) if (name.startsWith(prefix) && !keep.has(name)) await caches.delete(name);
  };

  const reason = (error) => `${error?.message ?? error}`.split("\n").filter(Boolean).pop() ?? "no reason was given";
  return { settings, root, here, pyodide, prefix, names, channel, tell, isFixed, get, open, forgetOld, reason, fetch: fetchFrom };
})(self.kvmmmuSettings);
