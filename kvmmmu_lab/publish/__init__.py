# SPDX-License-Identifier: GPL-2.0-only
"""Publish notebooks as self-contained slides and pages, in which films play without a network or a Jupyter kernel.

================= =================================================================
`execution`       reads and runs a notebook, and caches its outputs
`cell_renderer`   renders cells, with what their whole notebook knows
`outputs`         renders the outputs of cells as HTML, and extracts films
`terminal`        shows printed text as a terminal does
`widget_state`    shows widgets as they were saved
`media`           embeds pictures, films and sounds
`notices`         collects what is shortened or left out, for the report at the end
`readable`        keeps text readable, and in the direction of its language
`anchors`         names headings, so that links can lead to them
`links`           finds the exported file for a link by name
`editions`        separates what only notebooks or only pages say
`search`          lists what each page of the site says, and where
`html`            converts Markdown, HTML and SVG to self-contained HTML
`svg_image`       keeps the names in one SVG apart from those in others
`directives`      converts MyST's directives and Quarto's callouts to plain Markdown
`pipe_tables`     gives each row of a Markdown table as many cells as its head
`formulas`        finds formulas in Markdown before it is converted
`section`         splits the Markdown of a cell at headings and thematic breaks
`metadata`        reads the title, the author and the like from a notebook
`own_css`         reads a user's style sheet
`line_highlights` marks lines of code step by step
`summary`         shortens a long text to what fits on a slide
`slides`          turns the cells of a notebook into slides
`drawings`        lays out films and pictures for the room that they have on a slide
`deck`            combines the slides into one HTML file
`site`            exports all lessons and exercises as linked pages
`typesetting`     lets a browser typeset formulas and compose slides
`template`        loads the templates, style sheets and scripts of decks and pages
`preview`         serves exported pages, and updates them when a notebook changes
`cli`             runs the commands ``slides`` and ``site``
================= =================================================================

The scripts of a deck: `compose.js` divides slides that are too long, `deck.js` shows them, and `handout.js` prints them.
"""
