# SPDX-License-Identifier: GPL-2.0-only
"""Films made by hand, for tests: drawings in the form of `kvmmmu_lab.draw.svg`, with steps."""

import html
from importlib.resources import files

TAGS = {
    "fault": "a page fault begins",
    "spte": "a shadow entry changes",
    "rmap": "a reverse map changes",
    "page": "a shadow page comes or goes",
    "guest": "guest memory changes",
}
LEGEND = [
    ["row read", "read"],
    ["row changed", "changed"],
    ["row dead", "gone"],
    ["table shadow new", "new"],
    ["edge rmap", "reverse map"],
]
SIGNS = {"": "", "changed": "*", "read": ">", "dead": "x", "new": "+"}
WIDTH, COLUMN, LINE = 172, 208, 16


class Stage:
    """Tables with rows, and edges; each step has what differs from the step before."""

    def __init__(self):
        self.tables, self.edges, self.appearances, self.steps = {}, {}, {}, []
        self.marks, self.svg, self.shown = {}, "", {}

    def table(self, key, kind, x, y, title, words, rows, rest="", absent=False):
        self.tables[key] = (kind, x, y, title, words, [f"{key}:{row[0]}" for row in rows])
        self.appearances[key] = [f"table {kind}", f"{title}, {words}, {rest}", title, words, rest]
        for index, flags, target in rows:
            self.row(f"{key}:{index}", flags, target, absent)
        if absent:
            self.appearances[key] = [f"table {kind} absent", "", "", "", ""]

    def row(self, key, flags, target, absent=False):
        index = key.rpartition(":")[2]
        self.appearances[key] = ["row", f"entry {index}: {flags} to {target}", index, "", flags, target]
        if absent:
            self.appearances[key] = ["row absent", "", "", "", "", ""]

    def edge(self, kind, source, target, absent=False):
        key = f"{kind}|{source}|{target}"
        self.edges[key] = (kind, source, target)
        self.appearances[key] = [f"edge {kind} absent", ""] if absent else [f"edge {kind}", f"{source} leads to {target}"]
        return key

    def now(self):
        """Return all appearances, with the marks of this moment."""
        appearances = {key: list(appearance) for key, appearance in self.appearances.items()}
        for key, mark in self.marks.items():
            appearances[key][0] += f" {mark}"
            if appearances[key][0].startswith("row"):
                appearances[key][3] = SIGNS[mark]
        return appearances

    def step(self, words, place="", depth=0, tags=(), marks=None, changes=(), about=None):
        self.marks = marks or {}
        appearances = self.now()
        if not self.steps:
            self.svg, self.shown = self.draw(appearances), appearances
        different = {key: appearance for key, appearance in appearances.items() if appearance != self.shown[key]}
        self.shown = appearances
        self.steps.append(
            {
                "words": words,
                "place": place,
                "depth": depth,
                "tags": list(tags),
                "set": different,
                "changes": [dict(zip(("key", "name", "old", "new", "bits"), change, strict=True)) for change in changes],
                "about": list(self.marks if about is None else about),
            }
        )

    def chapter(self, title):
        return {"title": title, "svg": self.svg, "steps": self.steps}

    # The drawing

    def box(self, key):
        _, x, y, _, _, rows = self.tables[key]
        return x, y, WIDTH, 22 + 15 + LINE * len(rows) + 18

    def draw(self, appearances):
        boxes = [self.box(key) for key in self.tables]
        width, height = (max(box[axis] + box[axis + 2] for box in boxes) + 10 for axis in (0, 1))
        parts = [f'<rect class="stage" x="0" y="0" width="{width}" height="{height}" rx="6"/>']
        parts += [self._edge(key, appearances[key]) for key in self.edges]
        parts += [self._table(key, appearances) for key in self.tables]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="kvmmmu-drawing" role="group" aria-label="tables" '
            f'viewBox="0 0 {width} {height}" width="{width}" height="{height}">{"".join(parts)}</svg>'
        )

    def _edge(self, key, appearance):
        _, source, target = self.edges[key]
        (x, y), (end, down) = self._port(source, 1), self._port(target, 0)
        return (
            f"{_group(key, appearance)}{_title(appearance)}"
            f'<path class="line" d="M{x},{y} C{x + 25},{y} {end - 30},{down} {end - 7},{down}"/>'
            f'<path class="head" d="M{end},{down} l-7,-3 v6 z"/></g>'
        )

    def _port(self, key, side):
        table = key if key in self.tables else key.rpartition(":")[0]
        _, x, y, _, _, rows = self.tables[table]
        down = 10 if key == table else 22 + 15 + LINE * rows.index(key) + 8
        return x + WIDTH * side, y + down

    def _table(self, key, appearances):
        appearance, (x, y, width, height) = appearances[key], self.box(key)
        kind, rows = self.tables[key][0], self.tables[key][5]
        assert kind in appearance[0]
        middle = x + width / 2
        return (
            f"{_group(key, appearance)}{_title(appearance)}"
            f'<rect class="second" x="{x - 3}" y="{y - 3}" width="{width + 6}" height="{height + 6}" rx="6"/>'
            f'<rect class="paper" x="{x}" y="{y}" width="{width}" height="{height}" rx="4"/>'
            f'<rect class="tint" x="{x + 0.5}" y="{y + 20}" width="{width - 1}" height="15"/>'
            f'<path class="bar" d="M{x},{y + 20} v-16 a4,4 0 0 1 4,-4 h{width - 8} a4,4 0 0 1 4,4 v16 z"/>'
            f"{_text('heading', appearance[2], middle, y + 14)}{_text('words', appearance[3], middle, y + 31)}"
            f"{_text('rest', appearance[4], middle, y + height - 6)}"
            f"{''.join(self._row(row, appearances[row], x, y + 37 + LINE * place) for place, row in enumerate(rows))}</g>"
        )

    def _row(self, key, appearance, x, y):
        cells = zip(("index", "sign", "flags", "target"), (30, 38, 45, 106), appearance[2:], strict=True)
        return (
            f"{_group(key, appearance)}{_title(appearance)}"
            f'<rect class="back" x="{x + 0.5}" y="{y}" width="{WIDTH - 1}" height="{LINE}"/>'
            f'<path class="rule" d="M{x + 0.5},{y} h{WIDTH - 1}"/>'
            f"{''.join(_text(name, text, x + at, y + 12) for name, at, text in cells)}</g>"
        )


def _group(key, appearance):
    return f'<g data-key="{html.escape(key)}" class="{html.escape(appearance[0])}">'


def _title(appearance):
    return f"<title>{html.escape(appearance[1])}</title>"


def _text(name, text, x, y):
    return f'<text class="{name}" x="{x}" y="{y}">{html.escape(text)}</text>'


def film(title, *chapters, card=None, **more):
    css = files("kvmmmu_lab.draw").joinpath("drawing.css").read_text("utf-8")
    head = {"format": "kvmmmu-lab film", "version": 2, "title": title, "css": css, "legend": LEGEND, "tags": TAGS}
    return {**head, "card": card, "chapters": list(chapters), **more}


def first_stage():
    """Return a guest's path of two levels, its shadow, and the frame at the end. The last shadow table is still absent."""
    stage = Stage()
    stage.table("g:1", "guest", 12, 12, "PD", "gfn 0x1 = CR3", [("0", "PWUA", "gfn 0x4")], "1023 empty")
    stage.table("g:4", "guest", 12 + COLUMN, 12, "PT", "gfn 0x4", [("5", "PWUAD", "gfn 0x20"), ("6", "PWU", "gfn 0x4")])
    stage.table("s:255", "shadow", 12, 140, "shadow L2 #255", "of gfn 0x1 · root", [("0", ".....", "empty")], "512 empty")
    rows = [("5", ".....", "empty"), ("6", ".....", "empty")]
    stage.table("s:252", "shadow", 12 + COLUMN, 140, "shadow L1 #252", "of gfn 0x4", rows, "510 empty", absent=True)
    stage.table("f:20", "frame", 12 + 2 * COLUMN + 20, 140, "frame gfn 0x20", "data page", [("rmap", "empty", "no writer")])
    stage.edge("guest", "g:1:0", "g:4")
    stage.edge("shadow", "s:255:0", "s:252", absent=True)
    stage.edge("shadow", "s:252:5", "f:20", absent=True)
    return stage


def small_chapter():
    """Return one fault, from the walk of the processor to the reverse map: nine steps, nested three deep."""
    stage = first_stage()
    stage.step("Before the first step.")
    stage.step("The program reads 0x5000.", "", 0)
    stage.step(
        "The processor walks the shadow tables (#255:0) and finds #255:0 empty: it can't go on.",
        depth=1, marks={"s:255:0": "read"},
    )  # fmt: skip
    stage.step(
        "A page fault stops the guest, and the host takes over: not present in the shadow tables for 0x5000.",
        "paging64_page_fault(), paging_tmpl.h:392-436", 1, ["fault"], about=["s:255:0"],
    )  # fmt: skip
    stage.step(
        "The host reads the guest's tables, level by level (0x1:0, 0x4:5). The last says P W U A D.",
        "paging64_walk_addr(), paging_tmpl.h:55-176", 2, marks={"g:1:0": "read", "g:4:5": "read"},
    )  # fmt: skip
    stage.appearances["s:252"] = ["table shadow", "shadow L1 #252, of gfn 0x4", "shadow L1 #252", "of gfn 0x4", "510 empty"]
    for row in ("5", "6"):
        stage.row(f"s:252:{row}", ".....", "empty")
    stage.step(
        "Shadow page #252 is taken from the free list: it will shadow gfn 0x4 at level 1.",
        "kvm_mmu_alloc_page(), mmu.c:538-559", 3, ["page"], marks={"s:252": "new"},
    )  # fmt: skip
    stage.row("s:255:0", "PWUA.", "#252")
    stage.appearances["shadow|s:255:0|s:252"] = ["edge shadow", "#255:0 leads to #252"]
    stage.step(
        "Entry #255:0 now leads to shadow page #252.", "paging64_fetch(), paging_tmpl.h:253-330", 2, ["spte"],
        marks={"s:255:0": "changed"}, changes=[("s:255:0", "#255:0", "0x0", "0x102b45027", "P W U A set; frame 0x102b45")],
    )  # fmt: skip
    stage.row("s:252:5", "PWUAD", "gfn 0x20")
    stage.appearances["shadow|s:252:5|f:20"] = ["edge shadow", "#252:5 leads to frame gfn 0x20"]
    stage.step(
        "#252:5 now maps gfn 0x20, with the rights that the guest gives: P W U A D.",
        "paging64_set_pte_common(), paging_tmpl.h:189-240", 3, ["spte"], marks={"s:252:5": "changed"},
        changes=[("s:252:5", "#252:5", "0x0", "0x8000000002b45c67", "P W U A D NX set; frame 0x2b45")],
    )  # fmt: skip
    stage.row("f:20:rmap", "1 entry", "#252:5")
    stage.step(
        "The reverse map of frame 0x20 notes #252:5 (single): through it this frame can be written.",
        "rmap_add(), mmu.c:315-346", 4, ["rmap"], marks={"f:20:rmap": "changed"},
    )  # fmt: skip
    stage.step("The fault is handled. The guest goes on, and tries the same instruction again.", "", 1)
    return stage.chapter("A read of 0x5000")


def small():
    """Return a film of one fault."""
    return film("vm.access(0x5000)", small_chapter())


def two_chapters():
    """Return a film of the same fault in two chapters, with a crash at the end."""
    first, second = small_chapter(), small_chapter()
    rows = ["BUG, a consistency check failed: an rmap that isn't there.", "It happened in rmap_remove(), mmu.c:384."]
    card = {"title": "The host would have crashed", "rows": rows}
    return film("Two reads", first, {**second, "title": "The same again"}, card=card)


HOSTILE = [
    "</script><script>document.title = 'pwned'</script>",
    "<img src=x onerror=\"document.title='pwned'\"> & 'quotes' \"double\" `back` ${1+1}",
    "\u2028 and \u2029 and <!-- a comment --> and ]]>",
    "שלום עולם, نص من اليمين إلى اليسار 123",
    "x" * 400,
    "\\u003c/script> \\ \\\\ $title {0} %s",
]


def hostile():
    """Return a film with texts that try to break out of a page, and long ones."""
    stage = first_stage()
    stage.step("Before the first step.")
    for number, words in enumerate(HOSTILE):
        stage.row("s:252:5", words[:40], words[:20])
        changes = [("s:252:5", words, words, words, words)]
        stage.step(words, words, number, [], marks={"s:252:5": "changed"}, changes=changes)
    card = {"title": HOSTILE[0], "rows": HOSTILE[1:3]}
    chapter = stage.chapter(HOSTILE[1])
    return film(HOSTILE[0], chapter, card=card, legend=[["row changed", HOSTILE[0]]], tags={"spte": HOSTILE[0]})


def large(tables=60, rows=4, steps=200):
    """Return a film with tables in columns of ten, an edge from each row to the next column, and a change in every step."""
    stage = Stage()
    for number in range(tables):
        column, line = divmod(number, 10)
        entries = [(str(row), "PWUAD", f"#{row}") for row in range(rows)]
        stage.table(f"s:{number}", "shadow", 12 + column * COLUMN, 12 + line * 140, f"shadow #{number}", "of gfn 0x1", entries)
    for number in range(tables - 10):
        for row in range(rows):
            stage.edge("shadow", f"s:{number}:{row}", f"s:{number // 10 * 10 + 10 + (number + row) % 10}")
    stage.step("Before the first step.")
    for step in range(1, steps):
        table, row = step * 7 % tables, step % rows
        key, name = f"s:{table}:{row}", f"#{table}:{row}"
        stage.row(key, "PW..."[: step % 5 + 1], f"#{step}")
        words = f"Entry {name} now leads to shadow page #{step}, and there is something to say about that, at length."
        changes = [(key, name, f"{step:#x}", f"{step << 12:#x}", "P W set")]
        stage.step(words, "set_pte(), mmu.c:1-2", step % 5, ["spte"], {key: "changed", f"s:{table}": "changed"}, changes)
    return film(f"{tables} tables, {steps} steps", stage.chapter("Many"))
