# SPDX-License-Identifier: GPL-2.0-only
"""Publish notebooks as self-contained slides and pages: films play in them without a network or a kernel.

============ ============================================================================
`execution`  reads and runs a notebook, and caches its outputs
`outputs`    renders the outputs of cells as HTML, and extracts films
`html`       converts Markdown, or any other markup, to self-contained HTML
`summary`    shortens a long text to what fits on a slide
`slides`     turns the cells of a notebook into slides
`storyboard` prepares a film for paper
`deck`       makes one HTML file of the slides
`site`       exports all lessons and exercises as pages that link to each other
`template`   loads the templates, style sheets and scripts of decks and pages
`preview`    serves exported pages, and exports them again when a notebook changes
`cli`        runs the commands ``slides`` and ``site``
============ ============================================================================
"""
