# SPDX-License-Identifier: GPL-2.0-only


class front_chain_only(by_id):
    """Room is looked for in the front chain only."""

    CHAIN = 5

    class Parents:
        """Everything is in page.parents: None, a number, or a list of chains."""

        def __init__(self, vm):
            self.vm = vm

        def add(self, page, spte):
            match page.parents:
                case None:
                    page.parents = spte
                case int(only):
                    self.vm.caches.pte_chain.take()
                    page.parents = [[only, spte]]
                case chains:
                    for chain in chains[:1]:
                        if len(chain) < CHAIN:
                            chain.append(spte)
                            return
                    self.vm.caches.pte_chain.take()
                    chains.insert(0, [spte])

        def remove(self, page, spte):
            match page.parents:
                case None:
                    raise KeyError("no parents at all")
                case int(only):
                    if only != spte:
                        raise KeyError("another parent")
                    page.parents = None
                case chains:
                    for number in range(len(chains)):
                        chain = chains[number]
                        if spte in chain:
                            break
                    else:
                        raise KeyError("not among the parents")
                    chain.remove(spte)
                    if not chain:
                        del chains[number]
                        self.vm.caches.pte_chain.give()
                    if not chains:
                        page.parents = None

        def first(self, page):
            match page.parents:
                case None:
                    return None
                case int(only):
                    return only
                case chains:
                    return chains[0][0]

        def sptes(self, page):
            match page.parents:
                case None:
                    return ()
                case int(only):
                    return (only,)
                case chains:
                    return tuple(spte for chain in chains for spte in chain)

        def chains(self, page):
            held = page.parents
            return [list(chain) for chain in held] if isinstance(held, list) else held
