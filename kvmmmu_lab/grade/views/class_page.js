// SPDX-License-Identifier: GPL-2.0-only
//
// Sorts the table of learners by the column whose head is pressed, and shows only those whose names contain what is typed.
// Without it, the table is whole and in the order of names.

(() => {
  const table = document.getElementById("learners");
  if (!table) return;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const names = new Intl.Collator(undefined, { numeric: true });
  const value = (row, column) => row.cells[column]?.dataset.value ?? row.cells[column]?.textContent ?? "";
  const sort = (column) => {
    const down = heads[column].getAttribute("aria-sort") === "ascending";
    heads.forEach((head, place) => {
      if (place === column) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const rows = [...body.rows].map((row) => [value(row, column), row]);
    rows.sort(([a], [b]) => (down ? names.compare(b, a) : names.compare(a, b)));
    body.append(...rows.map(([, row]) => row));
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sorts";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(column));
    head.replaceChildren(button);
  });
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  filter.closest(".needs-script").hidden = false;
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    let left = 0;
    for (const row of body.rows) {
      row.hidden = !row.cells[0].textContent.toLowerCase().includes(wanted);
      left += !row.hidden;
    }
    const found = left ? `${left.toLocaleString("en")} shown` : "No learner's name contains this.";
    shown.textContent = wanted ? found : "";
  });
})();
