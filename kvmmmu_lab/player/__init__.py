# SPDX-License-Identifier: GPL-2.0-only
"""Films of recordings, and the player that shows them.

- `film_steps`   the steps of a film: which stretches of a recording, in which words, with which picture
- `film`         `Film`: the steps as data, its pictures and files, and what was clicked on
- ``player.js``  plays the data and needs nothing else; with ``stage.js``, ``panels.js``, ``elements.js``, ``player.css``
- `page`         a film as HTML: an output of a cell, a page of its own; and how to read a film out of HTML
- `widget`       a film as a widget that Python can steer
- `cell_output`  the output of a cell: the widget while a kernel runs, the HTML otherwise
- `error_card`   an error as a card that explains it
- `gif`          a film as a moving picture
"""
