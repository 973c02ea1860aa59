// SPDX-License-Identifier: GPL-2.0-only
// What surrounds a film, a page or a notebook: its theme, and where it has scrolled to.

/** Return whether the surroundings say that they are dark: JupyterLab and VS Code do. Otherwise undefined. */
function darkHost() {
  const { dataset, classList } = document.body;
  if (dataset.jpThemeLight) return dataset.jpThemeLight === "false";
  const is = (kind) => dataset.vscodeThemeKind === `vscode-${kind}` || classList.contains(`vscode-${kind}`);
  if (is("light") || is("high-contrast-light")) return false;
  return is("dark") || is("high-contrast") || undefined;
}

/**
 * Keep the theme classes of a root up to date: from the notebook's theme, or else the system's. Returns a function to stop.
 */
export function followTheme(element, wanted) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const held = new WeakRef(element); // a notebook drops outputs without notice; nothing here may keep them alive
  const update = () => {
    const root = held.deref();
    if (!root) return stop();
    const host = darkHost();
    const auto = wanted !== "light" && wanted !== "dark";
    root.classList.toggle("kvmmmu-dark", auto ? host ?? system.matches : wanted === "dark");
    root.classList.toggle("kp-jupyter", auto && Boolean(document.body.dataset.jpThemeLight));
    root.classList.toggle("kp-vscode", auto && host !== undefined && !document.body.dataset.jpThemeLight);
  };
  const observer = new MutationObserver(update);
  const stop = () => {
    observer.disconnect();
    system.removeEventListener("change", update);
  };
  const attributeFilter = ["data-jp-theme-light", "data-vscode-theme-kind", "class"];
  observer.observe(document.body, { attributes: true, attributeFilter });
  system.addEventListener("change", update);
  update();
  return stop;
}

/** Call a function of the element when the window's height changes, as long as the element exists. */
export function followHeight(element, call) {
  const held = new WeakRef(element);
  const update = () => {
    const root = held.deref();
    if (root?.isConnected) call();
    else if (!root) removeEventListener("resize", update);
  };
  addEventListener("resize", update);
  return () => removeEventListener("resize", update);
}

const SETTLED = [0, 100, 300, 700, 1200]; // milliseconds: a notebook scrolls to the next cell, and lays out the outputs after it

/** Whether an element is in the output of a notebook cell that a user has just run: JupyterLab then selects the next cell. */
function justRun(element) {
  const cell = element.closest(".jp-Cell");
  const chosen = cell?.parentElement.querySelector(":scope > .jp-Cell.jp-mod-active");
  if (!cell || !chosen || (chosen !== cell && chosen !== cell.nextElementSibling)) return false;
  const running = cell.querySelector(".jp-InputPrompt")?.textContent.includes("*");
  return Boolean(running || navigator.userActivation?.isActive);
}

/** Scroll a film into view whose cell was just run, until the user does something. */
export function land(root) {
  if (!justRun(root)) return;
  const done = new AbortController();
  for (const act of ["keydown", "pointerdown", "wheel", "touchmove"])
    addEventListener(act, () => done.abort(), { capture: true, passive: true, once: true, signal: done.signal });
  const look = () => {
    const pane = root.closest(".jp-WindowedPanel-outer, .jp-Notebook")?.getBoundingClientRect();
    const box = root.getBoundingClientRect();
    if (done.signal.aborted || !pane || !box.height) return;
    const fits = box.height <= pane.height;
    if (box.top < pane.top || (fits ? box.bottom > pane.bottom : box.top > pane.top + 40))
      root.scrollIntoView({ block: fits ? "nearest" : "start", behavior: "instant" });
  };
  for (const pause of SETTLED) setTimeout(look, pause);
  setTimeout(() => done.abort(), SETTLED.at(-1) + 1);
}

const RUN = '[data-command="notebook:run-cell-and-select-next"], [data-command="notebook:run-cell"]';

/**
 * Let the run button of JupyterLab's toolbar run the next cell while the focus is in the element: a second run of its own
 * cell would replace the film. Returns a function to stop.
 */
export function keepWhenRun(element) {
  const held = new WeakRef(element);
  const select = (event) => {
    const root = held.deref();
    if (!root) return stop();
    const next = root.closest(".jp-Cell")?.nextElementSibling;
    const runs = root.contains(document.activeElement) && event.target.closest?.(RUN);
    if (runs && next?.matches(".jp-Cell")) next.focus({ preventScroll: true });
  };
  const stop = () => removeEventListener("pointerdown", select, true);
  addEventListener("pointerdown", select, true);
  return stop;
}
