// SPDX-License-Identifier: GPL-2.0-only
//
// Line highlights: each step of a talk through code is a fragment, which highlights some lines. The first step is there at once.

/** The numbers of the steps that have lines in an element: long code is divided between slides. */
const stepsIn = (code) => [...new Set([...code.querySelectorAll(".code-line")].flatMap((line) => line.dataset.steps.split(" ").filter(Boolean)))]
  .map(Number).sort((one, other) => one - other);

const steppedCode = [...document.querySelectorAll(".slides .element.code")].filter((code) => code.querySelector(".code-line"));
for (const code of steppedCode)
  for (const _ of stepsIn(code).slice(1)) code.append(Object.assign(document.createElement("span"), { className: "fragment code-step" }));

/** Highlight the lines of the step that each element has reached. */
function showCodeSteps() {
  for (const code of steppedCode) {
    const step = stepsIn(code)[code.querySelectorAll(".code-step.visible").length];
    const lines = [...code.querySelectorAll(".code-line")];
    const chosen = lines.filter((line) => line.dataset.steps.split(" ").includes(String(step)));
    const some = chosen.length && chosen.length < lines.length; // a step with all lines looks like code without steps
    for (const line of lines) {
      line.classList.toggle("lit", some && chosen.includes(line));
      line.classList.toggle("dimmed", some && !chosen.includes(line));
    }
  }
}

if (steppedCode.length) for (const moved of ["ready", "slidechanged", "fragmentshown", "fragmenthidden"]) deck.on(moved, showCodeSteps);
