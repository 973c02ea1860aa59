// SPDX-License-Identifier: GPL-2.0-only
// A question with radio buttons, as an anywidget module. The elements are the browser's own (fieldset, legend, radio), so Tab
// enters and leaves the group, the arrow keys move the choice, and screen readers announce the question with each choice.

const ARROWS = new Set(["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"]);
const GUARD = "data-lm-suppress-shortcuts";

let groups = 0;

function render({ model, el }) {
  const name = `kvmmmu-radio-${Date.now().toString(36)}-${++groups}`;
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
    const plain = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
    if (plain && event.key === "Enter") { // Enter is not a key of radio buttons: choose what has the focus
      event.target.click?.();
      event.preventDefault();
    }
    if (plain && (event.key === "Enter" || event.key === " ")) setTimeout(settle);
    if (plain && ARROWS.has(event.key)) event.stopPropagation();
  });

  // JupyterLab handles its shortcuts while the event is still on its way to the group. So for the keys of the group, and only for
  // those, the group carries the attribute with which Lumino lets an element opt out; all others work as everywhere.
  const guard = (event) => {
    if (!group.contains(event.target)) return;
    const plain = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
    const mine = plain && (ARROWS.has(event.key) || event.key === "Enter" || event.key === " ");
    group.toggleAttribute(GUARD, mine);
  };
  window.addEventListener("keydown", guard, true);

  model.on("change:question", build);
  model.on("change:labels", build);
  model.on("change:index", mark);
  model.on("change:note", remark);
  build();
  remark();
  return () => {
    window.removeEventListener("keydown", guard, true);
    model.off("change:question", build);
    model.off("change:labels", build);
    model.off("change:index", mark);
    model.off("change:note", remark);
  };
}

export default { render };
