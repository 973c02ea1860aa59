// SPDX-License-Identifier: GPL-2.0-only
//
// Runs in the saved output of a cell, in JupyterLab and Notebook 7. The next output is the view of a widget. Opened without
// its kernel, it is only a sentence about a model that isn't there, and the picture above it has all there is to see. A view
// with a kernel is there before long, and hides this output; until then, nothing is said about a view that is lost.
(() => {
  const output = document.currentScript?.closest(".jp-OutputArea-child");
  if (!output?.parentElement) return;
  const clear = () => {
    const view = output.nextElementSibling?.querySelector(":scope > .lm-Panel.jp-OutputArea-output:not([data-mime-type])");
    if (view && !view.firstElementChild && view.firstChild) view.replaceChildren();
  };
  new MutationObserver(clear).observe(output.parentElement, { childList: true, subtree: true });
  clear();
  setTimeout(() => output.classList.add("kvmmmu-waited"), 3000);
})();
