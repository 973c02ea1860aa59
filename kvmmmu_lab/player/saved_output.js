// SPDX-License-Identifier: GPL-2.0-only
// An anywidget module without a view: it replaces outputs in the document of JupyterLab and Notebook 7.
//
// The kernel replaces an output by its display id. JupyterLab knows these ids only in the page in which the cell was run, not
// after a reload. This finds the output by its cell and the name in its metadata; what it replaces is shown, and saved.

function replace(manager, { cell, name, data }) {
  for (const { id, outputs } of manager?.context?.model?.cells ?? []) {
    for (let place = 0; id === cell && place < (outputs?.length ?? 0); place += 1) {
      const output = outputs.get(place).toJSON();
      const differs = Object.entries(data).some(([type, text]) => output.data?.[type] !== text);
      if (output.metadata?.kvmmmu_lab === name && differs) outputs.set(place, { ...output, data });
    }
  }
}

export default {
  initialize({ model }) {
    const receive = (message) => message.event === "replace" && replace(model.widget_manager, message);
    model.on("msg:custom", receive);
    return () => model.off("msg:custom", receive);
  },
};
