// SPDX-License-Identifier: GPL-2.0-only
// Once JupyterLab is there: names the tab after the notebook that the reader looks at, runs the start page when it opens, and adds
// the way back to the site's pages. If nothing is open, it opens the start page.
{
  // the site's name; the path of the start page, and the source of each of its code cells; where the pages are, if there are any
  const { name, start, startCells, pages } = self.kvmmmuLive.settings;
  const LOOK_MS = 200;
  const asksForFile = new URLSearchParams(location.search).has("path");

  const isOurs = ({ model }) => {
    const sources = [...model.cells].filter((cell) => cell.type === "code").map((cell) => cell.sharedModel.source);
    return sources.join("\0") === startCells.join("\0"); // what a reader has written runs only when the reader says so
  };

  // An earlier visit's table is old, and its buttons have no Python. So the page runs once, whatever it shows.
  const seen = new WeakSet();
  const runStart = async (app, panel) => {
    if (panel?.context?.path !== start || seen.has(panel)) return;
    seen.add(panel);
    await Promise.all([panel.context.ready, panel.sessionContext.ready]);
    await panel.sessionContext.session?.kernel?.info;
    const { content } = panel;
    if (panel.isDisposed || !isOurs(content)) return;
    if (app.shell.currentWidget !== panel) return seen.delete(panel); // the command is for the notebook in front
    const { activeCellIndex } = content;
    const done = app.commands.execute("notebook:run-all-cells");
    content.activeCellIndex = activeCellIndex; // not the last cell, to which JupyterLab would scroll
    await done;
  };

  const addWayBack = () => {
    const link = document.createElement("a");
    Object.assign(link, { id: "kvmmmu-pages", href: new URL(pages, self.kvmmmuLive.root).href, textContent: "Pages of the course" });
    link.style.cssText = "align-self:center;padding:0 12px;font-size:13px;white-space:nowrap;color:var(--jp-content-link-color)";
    document.getElementById("jp-top-bar")?.append(link);
  };

  const look = (app) => {
    const title = app.shell.currentWidget?.title.label;
    document.title = title ? `${title} - ${name}` : name;
    runStart(app, app.shell.currentWidget).catch((error) => console.warn("the start page did not run by itself", error));
  };

  const begin = () => {
    const app = self.jupyterapp;
    if (!app?.shell?.currentChanged) return setTimeout(begin, LOOK_MS);
    app.shell.currentChanged.connect(() => look(app));
    app.restored.then(() => {
      if (pages) addWayBack();
      // JupyterLab takes the path from the address, so a reload may find nothing open
      if (!asksForFile && ![...app.shell.widgets("main")].some(({ context }) => context)) app.commands.execute("docmanager:open", { path: start });
      look(app);
    });
  };
  begin();
}
