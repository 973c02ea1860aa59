# SPDX-License-Identifier: GPL-2.0-only
"""What axe finds in a page that is shown by Chromium or Firefox."""

from typing import NamedTuple

from .conftest import missing

TALL = {"width": 1280, "height": 30_000}
"""A window that shows a whole lesson: axe judges the colours only of text that is in view."""

AXE = """async ([source, within, off]) => {
    if (!window.axe) (0, eval)(source);
    // axe takes a text for hidden if an ancestor clips it, and JupyterLab's body clips all and has no height
    for (const root of [document.documentElement, document.body]) if (!root.clientHeight) root.style.height = "100%";
    const rules = Object.fromEntries(off.map((rule) => [rule, { enabled: false }]));
    const { violations, incomplete } = await axe.run(within ?? document, { rules });
    return [...violations, ...incomplete.filter((one) => one.id.startsWith("duplicate-id"))].flatMap(({ id, impact, nodes }) =>
        nodes.map(({ html, target, any, all, none }) => [
            id, impact, String(target.at(-1)), html.slice(0, 200), [...any, ...all, ...none].map((one) => one.message).join(" ")])); }"""


class Barrier(NamedTuple):
    """An element that axe complains about: the rule, how serious it is, where, and what is wrong."""

    rule: str
    impact: str
    where: str
    html: str
    message: str


def barriers(page, within=None, off=()):
    """Return the barriers in a page, or in the elements of a selector; ``off`` are rules that don't apply."""
    try:
        from axe_playwright_python.base import AXE_SCRIPT
    except ImportError:
        missing("axe-playwright-python: pip install axe-playwright-python")
    return [Barrier(*found) for found in page.evaluate(AXE, [AXE_SCRIPT, within, list(off)])]
