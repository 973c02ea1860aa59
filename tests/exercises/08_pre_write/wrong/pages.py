# SPDX-License-Identifier: GPL-2.0-only


class first_role_only(steps):
    """Only the first shadow page of the gfn is hit."""

    def pre_write(vm, gpa, size):
        gfn, offset = gpa >> PAGE_SHIFT, gpa & 0xFFF
        flooded = count_write(vm, gfn) >= 3
        for page in shadows(vm, gfn):
            if flooded or across(offset, size):
                zap_page(vm, page)
            else:
                zap_entry(vm, page, page.spte + offset // 8)
                break


class gfn_modulo_256(steps):
    """Two gfns that are equal modulo 256, as in the hash, count as one."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if page.gfn % 256 == gfn % 256 and not page.metaphysical]


class large_pages_hit(steps):
    """Only pages from before paging count as metaphysical; those of large pages are hit."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and page.glevels != 0]


class leaves_only(steps):
    """Only pages of level 1 are hit if there are any."""

    def shadows(vm, gfn):
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn]
        return [page for page in [page for page in found if page.level == 1] or found if not page.metaphysical]


class metaphysical_hit(steps):
    """Metaphysical pages of the gfn are hit as well."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn]


class newest_page_only(steps):
    """Only the shadow page that `lookup` finds is hit."""

    def shadows(vm, gfn):
        return filter(None, [vm.pool.lookup(gfn)])


class one_page_for_each_level(steps):
    """If one of the pages is a root in use, the others are not hit."""

    def shadows(vm, gfn):
        found = [page for page in vm.pool.bucket(gfn) if page.gfn == gfn]
        return [page for page in [page for page in found if page.root_count] or found if not page.metaphysical]


class whole_bucket(steps):
    """All pages of the bucket are hit, whatever their gfn."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if not page.metaphysical]


class gfn_of_32_bits(steps):
    """It uses only 32 bits of the gfn."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn) if (page.gfn ^ gfn) & 0xFFFFFFFF == 0 and not page.metaphysical]


class ten_pages_at_most(steps):
    """It looks at the first ten pages of the bucket."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn)[:10] if page.gfn == gfn and not page.metaphysical]


class names_of_one_frame(steps):
    """It also hits the tables of other gfns of the same frame."""

    def shadows(vm, gfn):
        gfn = vm.memory.unalias(gfn)
        return [page for page in vm.pool.bucket(gfn) if page.gfn == gfn and not page.metaphysical]


class hundred_pages_at_most(steps):
    """It looks at the first hundred pages of the bucket."""

    def shadows(vm, gfn):
        return [page for page in vm.pool.bucket(gfn)[:100] if page.gfn == gfn and not page.metaphysical]
