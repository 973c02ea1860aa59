# SPDX-License-Identifier: GPL-2.0-only
"""What axe finds in a page that is shown by Chromium or Firefox."""

from typing import NamedTuple

from .conftest import missing

AXE = """async ([within, off]) => {
    // axe takes a text for hidden if an ancestor clips it, and JupyterLab's body clips all and has no height
    for (const root of [document.documentElement, document.body])
        if (!root.getBoundingClientRect().height) root.style.height = "100%";
    const rules = Object.fromEntries(off.map((rule) => [rule, { enabled: false }]));
    const options = { rules, resultTypes: ["violations", "incomplete"], selectors: false }; // more would take twice the time
    const { violations, incomplete } = await axe.run(within ?? document, options);
    const twice = incomplete.filter(({ id }) => id.startsWith("duplicate-id"));
    return [...violations, ...twice].flatMap(({ id, impact, nodes }) => nodes.map(({ html, any, all, none }) =>
        [id, impact, html.slice(0, 200), [...any, ...all, ...none].map((check) => check.message).join(" ")])); }"""


class Barrier(NamedTuple):
    """An element that axe complains about: the rule, how serious it is, the element's HTML, and what is wrong."""

    rule: str
    impact: str
    html: str
    message: str


def barriers(page, within=None, off=()):
    """Return the barriers in a page, or in the elements of a selector; ``off`` are rules that don't apply.

    The colours are judged only of text that is in view, also of a pane that scrolls.
    """
    try:
        from axe_playwright_python.base import AXE_SCRIPT
    except ImportError:
        missing("axe-playwright-python: pip install axe-playwright-python")
    if not page.evaluate("'axe' in window"):
        page.evaluate(f"() => {{ {AXE_SCRIPT} }}")
    return [Barrier(*found) for found in page.evaluate(AXE, [within, list(off)])]
