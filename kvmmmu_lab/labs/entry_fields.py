# SPDX-License-Identifier: GPL-2.0-only
"""What each bit of an entry means: of a guest's, by mode and level, and of a shadow entry."""

from __future__ import annotations

from dataclasses import dataclass

from ..mmu.bits import FLAGS, LARGE, NARROW, PAGE_SHIFT, PRESENT, GuestMode


@dataclass(frozen=True)
class Bits:
    """One bit, or a field of several: ``low`` to ``high``. ``letter`` is its short name, where it has one."""

    low: int
    high: int
    letter: str
    words: str

    def of(self, value: int) -> int:
        """The field's content."""
        return value >> self.low & (1 << self.high - self.low + 1) - 1

    @property
    def where(self) -> str:
        """Its place: "5", "12-51"."""
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"


def _one(bit: int, letter: str, words: str) -> Bits:
    return Bits(bit, bit, letter, words)


def _flag(name: str, words: str) -> Bits:
    bit = next(flag.bit for flag in FLAGS if flag.name == name)
    return Bits(bit, bit, name, words)


def guest_bits(mode: GuestMode, level: int, value: int) -> list[Bits]:
    """The fields of a guest entry."""
    pdpte = mode.levels == 3 == level
    large = level == 2 and mode.large_pages and bool(value & LARGE)
    leaf = level == 1 or large
    fields = [_flag("P", "present: without it, nothing else means anything")]
    if pdpte:
        fields.append(Bits(1, 2, "", "reserved in a PDPTE: if set, loading CR3 is a #GP"))
    else:
        fields += [
            _flag("W", "writable; ANDed over all levels"),
            _flag("U", "for user code, too; ANDed over all levels"),
        ]
    fields += [
        _flag("PWT", "write-through caching: the code of 2007 doesn't look at it"),
        _flag("PCD", "no caching: the same"),
    ]
    if pdpte:
        fields.append(Bits(5, 8, "", "reserved in a PDPTE"))
    else:
        fields += [
            _flag("A", "accessed: set by the walk"),
            _flag("D", "dirty: set by the first write; while clear, the shadow withholds W" if leaf else "no meaning here"),
            _bit7(mode, level),
            _flag("G", "global: stays in the TLB when CR3 is loaded; copied" if leaf else "no meaning here"),
        ]
    fields.append(Bits(9, 11, "", "free for the guest's kernel; its own notes aren't copied"))
    fields += _frame(mode, level, large)
    if mode.format is not NARROW:
        fields += [Bits(52, 62, "", "free for the guest's kernel, or reserved"), _no_execution(pdpte)]
    return fields


def _bit7(mode: GuestMode, level: int) -> Bits:
    if level == 2:
        return _flag("PS", "large page: this entry is the last one" if mode.large_pages else "ignored: CR4.PSE is off")
    return _one(7, "PAT" if level == 1 else "", "a choice of caching" if level == 1 else "reserved, should be 0")


def _frame(mode: GuestMode, level: int, large: bool) -> list[Bits]:
    top = 31 if mode.format is NARROW else 51
    if large and mode.format is NARROW:
        return [
            _one(12, "PAT", "a choice of caching"),
            Bits(13, 16, "", "PSE-36: bits 32-35 of the address (the code of 2007 walks without them, the shadow has them)"),
            Bits(17, 21, "", "reserved, should be 0"),
            Bits(22, top, "frame", "the 4 MB that it maps"),
        ]
    if large:
        return [
            _one(12, "PAT", "a choice of caching"),
            Bits(13, 20, "", "reserved, should be 0"),
            Bits(21, top, "frame", "the 2 MB that it maps"),
        ]
    return [Bits(12, top, "frame", "the gfn of the page" if level == 1 else f"the gfn of the level-{level - 1} table")]


def _no_execution(pdpte: bool) -> Bits:
    return _one(63, "" if pdpte else "NX", "reserved in a PDPTE" if pdpte else "no execution, if EFER.NX is on")


def shadow_bits(level: int, value: int) -> list[Bits]:
    """The fields of a shadow entry."""
    leaf, io = level == 1, level == 1 and not value & PRESENT
    nine = {1: "I/O: there is no memory behind this", 2: "below this is a large page of the guest's, in pieces"}
    return [
        _flag("P", "present"),
        _flag("W", "writable" if leaf else "writable: always set in links, rights are withheld at level 1 only"),
        _flag("U", "for user code" if leaf else "for user code: always set in links"),
        Bits(3, 4, "", "not used"),
        _flag("A", "copied from the guest's entry" if leaf else "set in links to tables"),
        _flag("D", "copied" if leaf else "not used"),
        _one(7, "", "not used: the shadow has no large pages"),
        _flag("G", "copied" if leaf else "not used"),
        _one(9, "", nine.get(level, "not used")),
        _one(10, "", "the guest allows writing, path and all" if leaf else "not used"),
        _one(11, "", "the guest allows user access, path and all" if leaf else "not used"),
        Bits(12, 51, "frame", "guest frame of the device" if io else "host frame" if leaf else "host frame of a shadow page"),
        Bits(52, 62, "", "not used"),
        _flag("NX", "copied from the guest's last entry" if leaf else "not used"),
    ]


def frame_of(fields: list[Bits], value: int) -> int:
    """The frame number that an entry holds."""
    field = next(field for field in fields if field.letter == "frame")
    return field.of(value) << field.low - PAGE_SHIFT
