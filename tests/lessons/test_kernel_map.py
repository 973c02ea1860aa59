# SPDX-License-Identifier: GPL-2.0-only
"""The map of the kernel's source: no line is left out, and all that it names exists."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest

from kvmmmu_lab import exercises, mmu, workspace
from kvmmmu_lab.errors import InputError
from kvmmmu_lab.lessons.course import all_lessons
from kvmmmu_lab.lessons.kernel_map import MMU, WALKER, lines_in, parts, parts_at

FUNCTIONS = {  # the lines of the listing at which the definitions of functions begin
    34: "kvm_mmu_audit", 169: "is_write_protection", 174: "is_cpuid_PSE36", 179: "is_nx", 184: "is_present_pte",
    189: "is_writeble_pte", 194: "is_io_pte", 199: "is_rmap_pte", 205: "mmu_topup_memory_cache", 222: "mmu_free_memory_cache",
    228: "__mmu_topup_memory_caches", 242: "mmu_topup_memory_caches", 257: "mmu_free_memory_caches",
    263: "mmu_memory_cache_alloc", 274: "mmu_memory_cache_free", 282: "mmu_alloc_pte_chain", 288: "mmu_free_pte_chain",
    294: "mmu_alloc_rmap_desc", 300: "mmu_free_rmap_desc", 315: "rmap_add", 348: "rmap_desc_remove_entry", 372: "rmap_remove",
    412: "rmap_write_protect", 442: "is_empty_shadow_page", 458: "kvm_mmu_free_page", 468: "kvm_page_table_hashfn",
    473: "kvm_mmu_alloc_page", 491: "mmu_page_add_parent_pte", 528: "mmu_page_remove_parent_pte", 567: "kvm_mmu_lookup_page",
    587: "kvm_mmu_get_page", 634: "kvm_mmu_page_unlink_children", 664: "kvm_mmu_put_page", 671: "kvm_mmu_zap_page",
    698: "kvm_mmu_unprotect_page", 720: "page_header_update_slot", 728: "safe_gpa_to_hpa", 735: "gpa_to_hpa",
    747: "gva_to_hpa", 756: "gva_to_page", 765: "nonpaging_new_cr3", 769: "nonpaging_map", 815: "mmu_free_roots",
    845: "mmu_alloc_roots", 888: "nonpaging_gva_to_gpa", 893: "nonpaging_page_fault", 916: "nonpaging_free",
    921: "nonpaging_init_context", 937: "kvm_mmu_flush_tlb", 943: "paging_new_cr3", 954: "set_pte_common",
    1002: "inject_page_fault", 1009: "fix_read_pf", 1026: "paging_free", 1039: "paging64_init_context_common",
    1057: "paging64_init_context", 1062: "paging32_init_context", 1079: "paging32E_init_context", 1084: "init_kvm_mmu",
    1099: "destroy_kvm_mmu", 1108: "kvm_mmu_reset_context", 1121: "mmu_pre_write_zap_pte", 1140: "kvm_mmu_pre_write",
    1214: "kvm_mmu_post_write", 1218: "kvm_mmu_unprotect_page_virt", 1225: "kvm_mmu_free_some_pages", 1237: "free_mmu_pages",
    1256: "alloc_mmu_pages", 1295: "kvm_mmu_create", 1304: "kvm_mmu_setup", 1313: "kvm_mmu_destroy",
    1322: "kvm_mmu_slot_remove_write_access", 1344: "kvm_mmu_zap_all", 1361: "kvm_mmu_module_exit",
    1369: "kvm_mmu_module_init", 1393: "canonicalize", 1401: "audit_mappings_page", 1431: "audit_mappings",
    1446: "count_rmaps", 1478: "count_writable_mappings", 1503: "audit_rmap", 1513: "audit_write_protection",
    1535: "kvm_mmu_audit",
}  # fmt: skip
WALKERS = {72: "walk_addr", 195: "set_pte", 205: "set_pde", 224: "fetch", 307: "fix_write_pf", 392: "page_fault",
           457: "gva_to_gpa"}  # fmt: skip
LAST = {MMU: 1547, WALKER: 484}


@pytest.mark.parametrize("file", LAST)
def test_no_line_is_left_out_and_none_is_in_two_parts(file):
    of_file = [part for part in parts() if part.file == file]
    assert [part.first for part in of_file] == [1, *(part.last + 1 for part in of_file[:-1])]
    assert of_file[-1].last == LAST[file]


@pytest.mark.parametrize(("file", "functions"), [(MMU, FUNCTIONS), (WALKER, WALKERS)])
def test_each_function_of_the_kernel_is_named_where_it_begins(file, functions):
    for line, name in functions.items():
        if line > 34:  # the audits are declared at the top, and defined at the end
            (part,) = [one for one in parts() if one.overlaps(file, line, line)]
            assert name in part.names, f"{name} begins at {file}:{line}, in {part.lines}"
            assert part in parts_at(name)


def test_each_part_is_taught_in_a_lesson_that_exists():
    numbers = {lesson.number for lesson in all_lessons()}
    assert all(part.lessons and {*part.lessons} <= numbers for part in parts())


def test_each_lesson_names_its_lines_or_functions():
    """A lesson that is the main one for some lines cites lines or names a function there, in its text or its answers."""
    lessons = {lesson.number: lesson for lesson in all_lessons()}
    for part in parts():
        lesson = lessons[part.lessons[0]]
        module = importlib.import_module(f"kvmmmu_lab.lessons.lesson_{lesson.number:02}")
        text = lesson.notebook.with_suffix(".py").read_text("utf-8") + inspect.getsource(module)
        cited = any(part.overlaps(*lines) for lines in lines_in(text))
        assert cited or any(re.search(rf"\b{re.escape(name)}\b", text) for name in part.names), f"{lesson.title}: {part.lines}"


def engine_functions():
    """Yield the functions and methods of the engine as "rmap.ReverseMap.add", each with its docstring."""
    for path in sorted(Path(mmu.__file__).parent.glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        for node in tree.body:
            inner = node.body if isinstance(node, ast.ClassDef) else []
            for one, name in [(node, ""), *((one, f"{node.name}.") for one in inner)]:
                if isinstance(one, ast.FunctionDef):
                    yield f"{path.stem}.{name}{one.name}", ast.get_docstring(one) or ""


def test_engine_functions_and_parts_refer_to_each_other():
    """The docstring of an engine function cites the kernel's function for which the map names it."""
    citing = dict(engine_functions())
    for part in parts():
        same = [one for one in parts() if one is part or {*one.names} & {*part.names}]
        for name in part.engine:
            assert name in citing, f"{part.lines} names {name}, which doesn't exist"
            cited = [*lines_in(citing[name])]
            assert any(one.overlaps(*lines) for one in same for lines in cited), f"{name} doesn't cite {part.lines}"


def test_the_exercises_of_a_part_exist():
    names = {exercises.load(folder).name for folder in exercises.folders(workspace.course_root())}
    assert {name for part in parts() for name in part.exercises} == names - {"helpers"}


def test_parts_are_found_by_lines_and_by_name():
    assert [part.names for part in parts_at("mmu.c:325-350")] == [("rmap_add",), ("rmap_desc_remove_entry",)]
    assert [part.first for part in parts_at("rmap_add")] == [307] and parts_at("rmap_add()") == parts_at("rmap_add")
    assert [part.first for part in parts_at("kvm_mmu_pre_write")] == [1140, 1170, 1188]
    assert parts_at("no such thing") == []


@pytest.mark.parametrize("text", ["mmu.c:0", "mmu.c:1548", "mmu.c:20-10", "paging_tmpl.h:485"])
def test_lines_that_do_not_exist_are_refused(text):
    with pytest.raises(InputError, match="lines of"):
        parts_at(text)
