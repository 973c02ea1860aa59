# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of MMU state: a scene is built from a machine, and a drawing from a scene.

Modules that build a scene from a machine:

- `scene`          tables, entries, edges and marks of one moment, as plain data
- `scene_builder`  builds a scene from a machine, with all titles and texts
- `page_tables`    guest tables and shadow tables: paths of addresses, whole trees, the walk of one address
- `entry_bits`     a guest entry beside its shadow entry, bit by bit
- `reverse_maps`   reverse maps, parents, and all entries that map a frame
- `page_pool`      hash, free list, active list, object caches
- `memory_slots`   memory slots, dirty logs, aliases
- `pictures`       `Picture`, and one function for each kind of picture; `arguments` has their argument checks

Modules that turn a scene into a drawing:

- `theme`          kinds, marks, signs, and the stylesheet ``drawing.css``
- `metrics`        sizes of tables and texts
- `dot`            a scene in the DOT language: a complete drawing for export, or empty boxes for `layout`
- `render`         runs the program that draws DOT
- `layout`         the position of every element, as rectangles and curves (`geometry`)
- `svg`            `Drawing`: a stage and its scenes as SVG
- `text`           a scene as text
- `example`        the picture in the README
"""
