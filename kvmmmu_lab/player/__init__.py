# SPDX-License-Identifier: GPL-2.0-only
"""Films of recordings, and the player that shows them.

1. `shoot`   from a recording to the steps that a film shows, each with its scene and `marks`
2. `recording`    `Film`: the steps as data, its pictures, its files; `picks`: what was clicked on; `card`: how an error looks
3. ``player.js``, with ``stage.js``, ``panels.js``, ``elements.js``: plays the data and needs nothing else
4. `page`    hosts the player in an HTML output or a page of its own; `widget` in a widget that Python talks to
5. `cells`   a notebook's cell: the widget where a kernel is, the page where none is
6. `moving`  a film as a GIF, for where no page can go
"""
