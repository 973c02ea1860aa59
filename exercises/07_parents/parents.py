# SPDX-License-Identifier: GPL-2.0-only
"""Exercise 07: the parents of a shadow page, which are the entries that point to it. The task is in README.md."""


class Parents:
    """The parents of all shadow pages of one machine.

    A ``page`` is a `ShadowPage`; an ``spte`` is an integer that identifies an entry of a shadow page.
    """

    def __init__(self, vm):
        self.vm = vm

    def add(self, page, spte):
        """Record that the entry ``spte`` is going to point to ``page``. It is not one of the page's parents yet."""
        raise NotImplementedError("write Parents.add")

    def remove(self, page, spte):
        """Remove the record that ``spte`` points to ``page``. Raises an exception if it is not a parent of this page."""
        raise NotImplementedError("write Parents.remove")

    def first(self, page):
        """Return one of the parents of ``page``, any of them; None if it has none. Changes nothing."""
        raise NotImplementedError("write Parents.first")

    def sptes(self, page):
        """Return all parents of ``page``, each once, in any order; an empty list if it has none. Changes nothing."""
        raise NotImplementedError("write Parents.sptes")
