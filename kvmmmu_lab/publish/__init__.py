# SPDX-License-Identifier: GPL-2.0-only
"""Publish notebooks as slides and pages that are self-contained: no network, no kernel, and the films play.

============ ============================================================================
`execution`  reads and runs a notebook; its outputs are kept in a cache
`tags`       the cell tags that slides and pages go by
`outputs`    the outputs of its cells as HTML, films apart
`html`       Markdown, and any other markup, as self-contained HTML
`summary`    what a slide shows of a long text
`slides`     the cells as slides
`storyboard` a film on paper
`deck`       slides as one HTML file
`site`       all lessons and exercises as pages that link to each other
`template`   the templates, style sheets and packages that decks and pages need
`preview`    a local server that follows changes of the notebooks
`cli`        the commands ``slides`` and ``site``
============ ============================================================================
"""
