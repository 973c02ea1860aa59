# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 07: the parents of a shadow page, which are the entries that point to it. README.md says what to do."""


class Parents:
    """The parents of all shadow pages of one machine.

    A ``page`` is a `ShadowPage`; an ``spte`` is a whole number that names an entry of a shadow page.
    """

    def __init__(self, vm):
        self.vm = vm

    def add(self, page, spte):
        """Note that the entry ``spte`` is going to point to ``page``. It isn't one of the page's parents yet."""
        raise NotImplementedError("Parents.add")

    def remove(self, page, spte):
        """Forget that the entry ``spte`` points to ``page``. Raises an exception if it is no parent of this page."""
        raise NotImplementedError("Parents.remove")

    def first(self, page):
        """Any one of the parents of ``page``; None if it has none. Changes nothing."""
        raise NotImplementedError("Parents.first")

    def sptes(self, page):
        """All parents of ``page``, each once, in any order; an empty list if it has none. Changes nothing."""
        raise NotImplementedError("Parents.sptes")
