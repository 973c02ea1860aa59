# SPDX-License-Identifier: GPL-2.0-only
"""Films of recordings, and the player that shows them.

- `film_steps`   the steps of a film: the part of a recording that each shows, its words and its picture
- `film`         `Film`: the steps as data, its pictures and files, and what was clicked on
- ``player.js``  plays the data and needs nothing else; with ``stage.js``, ``panels.js``, ``elements.js``, ``player.css``
- ``slide.js``   plays it on a slide, where it is shown and not operated; with ``slide.css``
- `page`         a film as HTML, for a cell's output or as a standalone page; also reads a film from HTML
- `widget`       a film as a widget that Python can control
- `cell_output`  the output of a cell: the widget while a kernel runs, the HTML otherwise
- `error_card`   an error as a card that explains it
- `gif`          a film as an animated GIF
"""
