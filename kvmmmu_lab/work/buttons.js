// SPDX-License-Identifier: GPL-2.0-only
// Two buttons, as an anywidget module: download the learner's work as one zip, and upload such a zip.
// Python packs and unpacks; JupyterLab, if it can be had here, saves before and shows restored files afterwards.

import { freshId, keepKeys, tabOn } from "../player/notebook.js";

const MOST_BYTES = 64 * 2 ** 20; // as in work_zip.py, so that a film isn't sent to Python first
const SAVE_MS = 5000;

const takes = ({ key, shiftKey, ctrlKey, altKey, metaKey }) =>
  !(shiftKey || ctrlKey || altKey || metaKey) && (key === "Enter" || key === " ");

/** Save what was written in open notebooks and files. */
const saveAll = () => {
  const saving = globalThis.jupyterapp?.commands.execute("docmanager:save-all").catch(() => undefined);
  return Promise.race([saving, new Promise((done) => setTimeout(done, SAVE_MS))]);
};

const TEXT = /\.(py|md|txt|json|toml|csv|svg)$/;

/**
 * Store files that Python has written as JupyterLab would: a file that was renamed in the drive keeps the type of its first name,
 * and JupyterLab opens no notebook that is stored as another kind of file.
 */
const retype = async (names) => {
  const contents = globalThis.jupyterapp?.serviceManager.contents;
  for (const name of contents ? names : []) {
    const isBook = name.endsWith(".ipynb");
    if (!isBook && !TEXT.test(name)) continue;
    try {
      const file = await contents.get(name, { content: true });
      let { content } = file;
      if (file.format === "base64") {
        const bytes = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));
        content = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      }
      if (isBook) {
        content = typeof content === "string" ? JSON.parse(content) : content;
        await contents.save(name, { type: "notebook", format: "json", mimetype: "application/json", content });
      } else if (file.format === "base64") {
        await contents.save(name, { type: "file", format: "text", mimetype: "text/plain", content });
      }
    } catch (error) {
      console.warn(`${name} stays as it was uploaded: ${error.message}`);
    }
  }
};

/** Show the restored files where they are open. */
const reopen = async (names) => {
  for (const widget of globalThis.jupyterapp?.shell.widgets("main") ?? []) {
    const context = widget.context;
    if (names.includes(context?.path) && !context.model.dirty) await context.revert().catch(() => undefined);
  }
};

function render({ model, el }) {
  const box = document.createElement("div");
  const row = document.createElement("div");
  row.style.cssText = "display:flex;flex-wrap:wrap;gap:.5rem";
  const said = document.createElement("div");
  said.id = freshId("work");
  said.setAttribute("role", "status");
  said.style.cssText = "margin-top:.5rem;max-width:46rem;white-space:pre-line";
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ".zip,application/zip";
  input.hidden = true;

  const button = (label, hint, action) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "jupyter-widgets jupyter-button widget-button";
    made.style.width = "max-content";
    made.textContent = label;
    made.title = hint;
    made.addEventListener("click", action);
    row.append(made);
    return made;
  };
  const busy = (words) => {
    said.textContent = words;
    for (const one of row.querySelectorAll("button")) one.disabled = Boolean(words);
  };

  button(model.get("download"), "One zip with your notebooks, exercises and progress", async () => {
    busy("Your work is being packed …");
    navigator.storage?.persist?.().catch(() => undefined); // asks the browser to keep it when the disk gets full
    await saveAll();
    model.send({ event: "download" });
  });
  button(model.get("upload"), "A zip that was downloaded here, in any browser on any computer", () => input.click());
  input.addEventListener("change", async () => {
    const [file] = input.files;
    input.value = ""; // so that the same file can be chosen again
    if (!file) return;
    if (file.size > MOST_BYTES) {
      said.textContent = `${file.name} has ${file.size.toLocaleString("en")} bytes; choose a zip that was downloaded here.`;
      return;
    }
    busy(`${file.name} is being read …`);
    try {
      const content = await file.arrayBuffer();
      await saveAll();
      model.send({ event: "upload", name: file.name }, undefined, [content]);
    } catch (error) {
      busy("");
      said.textContent = `${file.name} can't be read (${error.message}); choose it again.`;
    }
  });

  const receive = async (message, buffers) => {
    if (message.event === "restored") await retype(message.names);
    busy("");
    said.textContent = message.words;
    if (message.event === "zip") {
      const address = URL.createObjectURL(new Blob([buffers[0]], { type: "application/zip" }));
      const link = document.createElement("a");
      link.href = address;
      link.download = message.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    } else if (message.event === "restored") await reopen(message.names);
  };
  model.on("msg:custom", receive);

  box.append(row, input, said);
  el.append(box);
  const unkeep = keepKeys(row, takes);
  tabOn(box);
  return () => {
    unkeep();
    model.off("msg:custom", receive);
  };
}

export default { render };
