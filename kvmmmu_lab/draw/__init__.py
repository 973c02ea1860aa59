# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of MMU state: from a machine to a scene, from a scene to a drawing.

From a machine to a scene:

- `scene`          tables, entries, edges and marks of one moment, as plain data
- `scene_builder`  collects them from a machine, with titles and texts
- `page_tables`    guest tables and shadow tables: paths of addresses, whole trees, the walk of one address
- `entry_bits`     a guest entry beside its shadow entry, bit by bit
- `reverse_maps`   reverse maps, parents, and everything that maps a frame
- `page_pool`      hash, free list, active list, object caches
- `memory_slots`   memory slots, dirty logs, aliases
- `pictures`       `Picture`, and one function for each kind of picture, with its `arguments` checked

From a scene to a drawing:

- `theme`          kinds, marks, signs, and the stylesheet ``drawing.css``
- `metrics`        sizes of tables and texts
- `dot`            a scene in the DOT language: the whole drawing for export, empty boxes for the layout
- `render`         runs the program that draws DOT
- `layout`         positions of everything, as rectangles and curves (`geometry`)
- `svg`            `Drawing`: a stage and its scenes as SVG
- `text`           a scene as text
- `example`        the picture in the README
"""
