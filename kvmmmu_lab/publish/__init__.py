# SPDX-License-Identifier: GPL-2.0-only
"""Publish notebooks as self-contained slides and pages, in which films play without a network or a Jupyter kernel.

============ ============================================================================
`execution`  reads and runs a notebook, and caches its outputs
`outputs`    renders the outputs of cells as HTML, and extracts films
`html`       converts Markdown, HTML and SVG to self-contained HTML
`summary`    shortens a long text to what fits on a slide
`slides`     turns the cells of a notebook into slides
`storyboard` shows a film as still pictures, for print
`deck`       combines the slides into one HTML file
`site`       exports all lessons and exercises as linked pages
`template`   loads the templates, style sheets and scripts of decks and pages
`preview`    serves exported pages, and updates them when a notebook changes
`cli`        runs the commands ``slides`` and ``site``
============ ============================================================================
"""
