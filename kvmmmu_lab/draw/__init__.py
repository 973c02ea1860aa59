# SPDX-License-Identifier: GPL-2.0-only
"""Pictures of MMU state: a scene is built from a machine, and a drawing from a scene.

Modules that build a scene from a machine:

- `scene`          tables, entries, edges and marks of one moment, as plain data
- `scene_builder`  builds a scene from a machine, with all titles and texts
- `page_tables`    guest tables and shadow tables: paths of addresses, whole trees, the walk of one address
- `fault_flow`     a page fault as a flow chart, below the trees that it changes
- `guest_walk`     the host's walk of the guest's tables, check by check
- `entry_bits`     a guest entry beside its shadow entry, bit by bit
- `bit_row`        the same in two rows: the bits of the guest entry, and those that are made from them
- `reverse_maps`   reverse maps, parents, and all entries that map a frame
- `hash_bucket`    one hash bucket, with the names of its pages
- `parent_graph`   shadow pages, the links between them, and their parents
- `page_pool`      hash, free list, active list, object caches
- `page_belt`      the active list as a belt: where pages enter, and where eviction takes them
- `audit_counters` references in reverse maps against writable entries, as the first audit counts them
- `memory_slots`   memory slots, dirty logs, aliases
- `pictures`       `Picture`, and one function for each kind of picture; `arguments` has their argument checks

Modules that turn a scene into a drawing:

- `theme`          kinds, marks, signs, and the stylesheet ``drawing.css``
- `metrics`        sizes of tables and texts
- `dot`            a scene in the DOT language: a complete drawing for export, or empty boxes for `layout`
- `render`         runs the program that draws DOT
- `layout`         the position of every element, as rectangles and curves (`geometry`)
- `room`           the layout that fills a room of a given size, such as a slide: columns, texts, and what is folded
- `svg`            `Drawing`: a stage and its scenes as SVG
- `text`           a scene as text
- `example`        the picture in the README
"""
