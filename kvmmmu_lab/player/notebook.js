// SPDX-License-Identifier: GPL-2.0-only
// An element in the output of a notebook cell: its id, the keys that it keeps for itself, and where Tab leads from it.

const COUNT = Symbol.for("kvmmmu_lab: ids given");

/** Return an id that no other element of the page has. Each output runs a module of its own, so the page holds the count. */
export function freshId(kind) {
  document[COUNT] = (document[COUNT] ?? 0) + 1;
  return `kvmmmu-${kind}-${document[COUNT]}`;
}

/**
 * Keep the notebook from using the keys that an element takes: `takes(event)` says which. Returns a function to stop.
 *
 * Notebook 7 handles its shortcuts before the event reaches the element, so the element can't stop the event. Lumino skips what
 * has this attribute, and looks at the focused element first: there the attribute has to be, and only for the element's own keys.
 */
export function keepKeys(element, takes) {
  const held = new WeakRef(element); // a notebook drops outputs without notice; nothing here may keep them alive
  const guard = (event) => {
    const root = held.deref();
    if (!root) stop();
    else if (root.contains(event.target)) event.target.toggleAttribute("data-lm-suppress-shortcuts", Boolean(takes(event)));
  };
  const stop = () => removeEventListener("keydown", guard, true);
  addEventListener("keydown", guard, true);
  return stop;
}

const STOPS = "a[href], button, input, select, textarea, summary, [tabindex]";

/**
 * Let Tab lead from an element to what follows it: the next control in its cell, or else the next cell.
 *
 * JupyterLab takes all cells but the active one out of the tab order, so the browser would go on at the next link, many cells
 * below, or at the menu.
 */
export function tabOn(element) {
  element.addEventListener("keydown", (event) => {
    const { key, shiftKey, ctrlKey, altKey, metaKey, defaultPrevented } = event;
    if (key !== "Tab" || shiftKey || ctrlKey || altKey || metaKey || defaultPrevented) return;
    const cell = element.closest(".jp-Notebook .jp-Cell"), next = cell?.nextElementSibling;
    const follows = (stop) => element.compareDocumentPosition(stop) & Node.DOCUMENT_POSITION_FOLLOWING &&
      !element.contains(stop) && stop.tabIndex >= 0 && !stop.disabled && stop.getClientRects().length;
    if (!next?.matches(".jp-Cell") || [...cell.querySelectorAll(STOPS)].some(follows)) return;
    event.preventDefault();
    next.focus();
  });
}
