// SPDX-License-Identifier: GPL-2.0-only
// When the course has a new version, brings the files in this browser's storage up to date before JupyterLab opens one, as
// `prepare` in kvmmmu_lab/workspace.py does on a disk: a changed file is never touched, and its new version is put next to it.
//
// JupyterLite shows a file of the site as long as the storage has none of this name. It stores a file when it is saved, also
// when only its outputs are new; from then on it would show that copy for ever.
{
  const live = self.kvmmmuLive;
  const { course, record } = live.settings; // the fingerprint of each file of the course; the name of the record
  const WAIT_MS = 5000; // JupyterLab starts even if the storage doesn't answer

  const promised = (request) =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });

  // JupyterLite's database. It is made by JupyterLite only: null before its first visit.
  const opened = () =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open(`JupyterLite Storage - ${new URL(live.root).pathname}`);
      let isNew = false;
      request.onupgradeneeded = () => {
        isNew = true;
        request.transaction.abort();
      };
      request.onblocked = request.onerror = () => (isNew ? resolve(null) : reject(request.error));
      request.onsuccess = () => {
        request.result.onversionchange = () => request.result.close();
        resolve(request.result);
      };
    });

  // Python's `json.dumps` of the type and source of each cell
  const ascii = (text) => JSON.stringify(text).replace(/[\u007f-\uffff]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const cellsOf = (book) => {
    const cells = (typeof book === "string" ? JSON.parse(book) : book).cells.map(({ cell_type, source }) => {
      const text = (Array.isArray(source) ? source.join("") : source).replace(/\r\n/g, "\n");
      return `[${ascii(cell_type)}, ${ascii(text)}]`;
    });
    return `[${cells.join(", ")}]`;
  };
  // As `fingerprint` in kvmmmu_lab/workspace.py; null for a file that can't be understood, which then counts as changed.
  const fingerprint = async (name, stored) => {
    try {
      const { content, format } = stored;
      let bytes;
      if (name.endsWith(".ipynb")) bytes = new TextEncoder().encode(cellsOf(content));
      else if (format === "base64") bytes = Uint8Array.from(atob(content).replace(/\r\n/g, "\n"), (one) => one.charCodeAt(0));
      else bytes = new TextEncoder().encode(content.replace(/\r\n/g, "\n"));
      const digest = await crypto.subtle.digest("SHA-256", bytes);
      return [...new Uint8Array(digest)].map((one) => one.toString(16).padStart(2, "0")).join("");
    } catch {
      return null;
    }
  };

  const besideName = (name) => name.replace(/(\.[^./]*)?$/, ".new$1");

  // the file of the site as JupyterLite would store it under another name
  const fromSite = async (name, as) => {
    const response = await live.fetch(new URL(`files/${name}`, live.root).href, { cache: "no-cache" });
    if (!response.ok) throw new Error(`${name}: ${response.status}`);
    const text = await response.text();
    const isBook = name.endsWith(".ipynb");
    const now = new Date().toISOString();
    return {
      name: as.split("/").pop(),
      path: as,
      type: isBook ? "notebook" : "file",
      format: isBook ? "json" : "text",
      mimetype: isBook ? "application/json" : "text/plain",
      content: isBook ? JSON.parse(text) : text,
      size: new Blob([text]).size,
      created: now,
      last_modified: now,
      writable: true,
    };
  };

  const recordFile = (known) => ({
    name: record,
    path: record,
    type: "file",
    format: "json",
    mimetype: "application/json",
    content: { files: known },
    size: JSON.stringify({ files: known }).length,
    created: new Date().toISOString(),
    last_modified: new Date().toISOString(),
    writable: true,
  });
  const parsed = (file) => {
    try {
      const { files } = typeof file.content === "string" ? JSON.parse(file.content) : file.content;
      return { ...files };
    } catch {
      return null; // none yet
    }
  };

  const update = async (database) => {
    if (![...database.objectStoreNames].includes("files")) return;
    const get = (name) => promised(database.transaction("files").objectStore("files").get(name));
    const keys = new Set(await promised(database.transaction("files").objectStore("files").getAllKeys()));
    // Whoever comes for the first time begins with this version of all files.
    const known = parsed(await get(record)) ?? { ...course };
    const before = JSON.stringify(known);
    const writes = []; // made at once, below
    for (const [name, newest] of Object.entries(course)) {
      const stored = keys.has(name) ? await get(name) : null;
      const have = stored && (await fingerprint(name, stored));
      if (!stored || have === newest) known[name] = newest;
      else if (have !== null && have === known[name]) {
        writes.push((files) => files.delete(name)); // JupyterLite then shows the site's
        known[name] = newest;
      } else {
        const beside = besideName(name);
        if (newest === known[name] || newest === known[beside]) continue; // seen, and perhaps deleted
        const there = keys.has(beside) ? await get(beside) : null;
        const theirs = there && (await fingerprint(beside, there));
        if (there && theirs !== newest && theirs !== known[beside]) continue; // changed as well
        const file = await fromSite(name, beside);
        writes.push((files) => files.put(file, beside));
        known[beside] = newest;
      }
    }
    if (JSON.stringify(known) !== before || !keys.has(record)) writes.push((files) => files.put(recordFile(known), record));
    if (!writes.length) return;
    const transaction = database.transaction("files", "readwrite");
    for (const write of writes) write(transaction.objectStore("files"));
    await new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  };

  const bringUpToDate = async () => {
    const database = await opened();
    if (!database) return;
    try {
      const work = () => update(database);
      await (navigator.locks ? navigator.locks.request(`${live.prefix}files`, work) : work());
    } finally {
      database.close();
    }
  };
  const tried = () => bringUpToDate().catch((error) => console.warn(`The files in this browser were left as they are: ${live.reason(error)}`));

  // JupyterLab fetches its settings before it opens a file. Until the files are ready it waits for that.
  const ready = Promise.race([tried(), new Promise((done) => setTimeout(done, WAIT_MS))]);
  const fetchNow = self.fetch.bind(self);
  self.fetch = async (...request) => {
    await ready;
    return fetchNow(...request);
  };
  ready.then(() => (document.documentElement.dataset.kvmmmuFiles = "ready"));
  // after the first visit's start there is a database, and the record can be written
  live.channel.addEventListener("message", ({ data }) => data.kind === "ready" && tried());

  // A tab that is put away may be closed without a word.
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") self.jupyterapp?.commands.execute("docmanager:save-all").catch(() => undefined);
  });
}
