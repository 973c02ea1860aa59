# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of MMU state: from a machine to a scene, from a scene to a drawing.

What is drawn, in the order to read it:

1. `scene`       a scene: tables, entries, edges, marks, as plain data
2. `rows`        what tables and entries say; `draft` collects them
3. `hierarchy`   guest and shadow tables along addresses; `trees`: whole trees, folded; `walk_fields`: with the address
4. `frames`      reverse maps, and who maps a frame; `parents`: parent chains
5. `pools`       free and active list, caches, hash; `slots`: memory slots and dirty logs
6. `bits_table`  one entry bit by bit, with the `verdicts` on each bit
7. `pictures`    one function for each of these, with the checks of `arguments`

How it is drawn:

8.  `metrics`    how large things are; `plan`: how wide columns and gaps
9.  `layout`     where they stand, by way of `dot` (empty boxes for Graphviz) and `render` (which runs it); `lines`: curves
10. `looks`      what changes from scene to scene: classes and texts, by the `keys` of parts
11. `svg`        `Drawing`: all of it as SVG, with the `notes` below; all appearance is in ``drawing.css`` (`theme`)
12. `picture`    what shows itself in a notebook; `text`: the same in lines of text
"""
