// SPDX-License-Identifier: GPL-2.0-only
// The focus inside a film: one Tab goes in, the next Tab leaves, and arrow keys move within.

/** The elements that this selector matches inside an element, as far as they are shown. */
export const shown = (element, selector) =>
  [...element.querySelectorAll(selector)].filter((one) => one.getClientRects().length);

/**
 * Makes a film a single tab stop: `home`, where the arrow keys step. The regions that scroll can be reached, too, as
 * browsers and assistive tools expect; but a Tab into one of them leads to `home`, and while Tab looks for what follows the
 * film, they are out of its way. All else in the film is reached with arrow keys.
 */
export class Focus {
  constructor(root, home, regions, staying) {
    Object.assign(this, { root, home, staying, stops: [home, ...regions] });
    this.clicked = false;
    for (const stop of this.stops) stop.setAttribute("tabindex", "0");
    root.addEventListener("pointerdown", () => {
      this.clicked = true;
      setTimeout(() => (this.clicked = false)); // after the focus has moved
    });
    root.addEventListener("keydown", (event) => event.key === "Tab" && this.leave());
    root.addEventListener("focusin", (event) => this.enter(event));
  }

  /** After a click, the focus is where the arrow keys step, unless the click was on something with arrow keys of its own. */
  enter({ target, relatedTarget }) {
    const came = !this.root.contains(relatedTarget) && this.stops.includes(target);
    if (!(target === this.root || (this.clicked ? !target.closest(this.staying) : came))) return;
    this.go(this.home);
    setTimeout(() => document.activeElement === target && this.go(this.home)); // JupyterLab takes it back when another cell gets it
  }

  /** Take all stops but the current one out of the tab order until the browser has moved the focus. */
  leave() {
    const others = this.stops.filter((stop) => stop !== document.activeElement);
    for (const stop of others) stop.setAttribute("tabindex", "-1");
    const back = () => others.forEach((stop) => stop.setAttribute("tabindex", "0"));
    this.root.addEventListener("focusout", back, { once: true }); // by then the browser has chosen
    setTimeout(back); // if there was nowhere to go
  }

  go(element) {
    element?.focus({ preventScroll: true });
  }

  /** Move the focus along a row of elements; it stays at the end of the row. */
  along(row, from, direction) {
    this.go(row[row.indexOf(from) + direction]);
  }
}
