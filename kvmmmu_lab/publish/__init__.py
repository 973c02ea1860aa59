# SPDX-License-Identifier: GPL-2.0-only
"""Notebooks as slides and pages that need nothing: one file, no network, no kernel, and the films still play.

============ ==========================================================================
`source`     a notebook is read, run, and remembered until it changes
`outputs`    what its cells show, as HTML; films are taken out, so that one player serves all
`markdown`   texts as HTML, with their formulas; `local`: of any HTML, what a page would fetch is put in or left out
`prose`      what of a long text goes on a slide; `questions`: what of the code beside a prediction
`sheets`     cells become slides
`deck`       slides become one HTML file
`site`       lessons and exercises become pages that link to each other
`strips`     a film on paper: its key steps
`serve`      a preview that follows the notebook
`cli`        the commands ``slides`` and ``site``
============ ==========================================================================
"""
