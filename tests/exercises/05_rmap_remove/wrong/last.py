# SPDX-License-Identifier: GPL-2.0-only


class does_nothing(sets.ReverseMap):
    """It removes nothing."""

    def remove(self, spte):
        pass


class first_frame_kept(lists.ReverseMap):
    """It remembers which frame an entry had at first, and does not look again."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.seen = {}

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.seen.setdefault(spte, hfn)
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = self.seen.get(spte)
        if self.frame(spte) is not None and spte in self.lists.get(hfn, ()):
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class frame_stays(lists.ReverseMap):
    """It leaves an empty list, whose frame is still named."""

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None:
            self.lists[hfn].remove(spte)


class never_back(lists.ReverseMap):
    """It remembers which entries were removed, and never takes them again."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.gone = set()

    def add(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and spte not in self.gone:
            self.lists.setdefault(hfn, []).append(spte)

    def remove(self, spte):
        hfn = self.frame(spte)
        if hfn is not None and spte not in self.gone:
            self.gone.add(spte)
            self.lists[hfn].remove(spte)
            if not self.lists[hfn]:
                del self.lists[hfn]


class answers_kept_while_count_is_equal(lists.ReverseMap):
    """It answers again what it answered before, if the number of the frame's entries has not changed since."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.answers = {}

    def sptes(self, hfn):
        now = self.lists.get(hfn, [])
        if len(self.answers.get(hfn, ())) != len(now):
            self.answers[hfn] = list(now)
        return self.answers.get(hfn, [])


class frames_kept_while_count_is_equal(lists.ReverseMap):
    """It makes a new list of frames only if their number has changed."""

    def __init__(self, vm):
        self.vm = vm
        self.lists = {}
        self.answer = []

    def frames(self):
        if len(self.answer) != len(self.lists):
            self.answer = list(self.lists)
        return self.answer


class words_of_the_first_time(lists.ReverseMap):
    """It keeps the words of its first use; they are replaced when the machine gets more memory."""

    def frame(self, spte):
        self.words = getattr(self, "words", self.vm.memory.words)
        entry = self.words[spte]
        if entry & PRESENT and entry & WRITABLE:
            return (entry & BASE_MASK) >> PAGE_SHIFT
        return None
