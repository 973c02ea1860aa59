// SPDX-License-Identifier: GPL-2.0-only
// A question with radio buttons, as an anywidget module. The elements are the browser's own (fieldset, legend, radio), so Tab
// enters and leaves the group, the arrow keys move the choice, and screen readers announce the question with each choice.

import { freshId, keepKeys, tabOn } from "../player/notebook.js";

const ARROWS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]);

/** Whether a key is one of the group's own, in a notebook too. */
const takes = ({ key, shiftKey, ctrlKey, altKey, metaKey }) =>
  !(shiftKey || ctrlKey || altKey || metaKey) && (ARROWS.has(key) || key === "Enter" || key === " ");

function render({ model, el }) {
  const name = freshId("radio");
  const group = document.createElement("fieldset");
  group.className = "kvmmmu-radio-group";
  group.setAttribute("role", "radiogroup");
  const legend = document.createElement("legend");
  legend.id = `${name}-question`;
  group.setAttribute("aria-labelledby", legend.id);
  const list = document.createElement("div");
  const note = document.createElement("p");
  note.setAttribute("role", "status");
  group.append(legend, list, note);
  el.append(group);

  const settle = () => {
    if (model.get("index") === null || model.get("settled") === model.get("index")) return;
    model.set("settled", model.get("index"));
    model.save_changes();
  };

  const build = () => {
    legend.textContent = model.get("question");
    list.replaceChildren(...model.get("labels").map((words, index) => {
      const label = document.createElement("label");
      const radio = document.createElement("input");
      radio.type = "radio";
      radio.name = name;
      radio.value = index;
      radio.addEventListener("change", () => {
        model.set("index", index);
        model.save_changes();
      });
      label.append(radio, document.createTextNode(words));
      return label;
    }));
    mark();
  };
  const mark = () => {
    list.querySelectorAll("input").forEach((radio, index) => { radio.checked = index === model.get("index"); });
  };
  const remark = () => {
    note.textContent = model.get("note");
    note.hidden = !note.textContent;
  };

  // The arrow keys also move through the choices that lie between. A choice is final when it was clicked on, confirmed
  // with space or Enter, or left with Tab.
  group.addEventListener("click", (event) => { if (event.detail > 0) setTimeout(settle); }); // "change" comes after "click"
  group.addEventListener("focusout", (event) => { if (!group.contains(event.relatedTarget)) settle(); });
  group.addEventListener("keydown", (event) => {
    if (!takes(event)) return;
    event.stopPropagation();
    if (event.key === "Enter") { // Enter is not a key of radio buttons: choose what has the focus
      event.target.click?.();
      event.preventDefault();
    }
    if (!ARROWS.has(event.key)) setTimeout(settle);
  });

  const unkeep = keepKeys(group, takes);
  tabOn(group);

  model.on("change:question", build);
  model.on("change:labels", build);
  model.on("change:index", mark);
  model.on("change:note", remark);
  build();
  remark();
  return () => {
    unkeep();
    model.off("change:question", build);
    model.off("change:labels", build);
    model.off("change:index", mark);
    model.off("change:note", remark);
  };
}

export default { render };
