// SPDX-License-Identifier: GPL-2.0-only
// A button at the end of a cell's output, as an anywidget module: Tab leads from it to the next cell.

import { keepKeys, tabOn } from "../player/notebook.js";

const takes = ({ key, shiftKey, ctrlKey, altKey, metaKey }) =>
  !(shiftKey || ctrlKey || altKey || metaKey) && (key === "Enter" || key === " ");

function render({ model, el }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "jupyter-widgets jupyter-button widget-button";
  button.style.width = "max-content";
  button.textContent = model.get("label");
  button.title = model.get("hint");
  button.addEventListener("click", () => {
    model.set("clicks", model.get("clicks") + 1);
    model.save_changes();
  });
  el.append(button);
  const unkeep = keepKeys(button, takes);
  tabOn(button);
  return unkeep;
}

export default { render };
