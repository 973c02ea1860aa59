# SPDX-License-Identifier: GPL-2.0-only
"""What a PDF says: its pages' texts, sizes and pictures, its outline, tags, links and language."""

from collections import Counter
from ctypes import c_double, c_int, create_string_buffer

import pypdfium2
from pypdfium2 import raw


class Pdf:
    """A PDF that a test looks into."""

    def __init__(self, path):
        self.document = pypdfium2.PdfDocument(path)
        self.texts = [self._text(page) for page in self.document]

    @staticmethod
    def _text(page):
        return page.get_textpage().get_text_range().replace("\r\n", "\n").replace("\ufffe", "")

    @property
    def text(self):
        """All text, in one line."""
        return " ".join(" ".join(self.texts).split())

    def says(self, words):
        """Whether it has these words, however they are broken into lines."""
        return "".join(words.split()) in "".join(self.text.split())

    def sizes(self, page):
        """How many visible characters of a page have each size, in points on the paper."""
        found, matrix = Counter(), raw.FS_MATRIX()
        text = self.document[page].get_textpage()
        for at in range(text.count_chars()):
            if chr(raw.FPDFText_GetUnicode(text, at)).strip():
                raw.FPDFText_GetMatrix(text, at, matrix)
                found[round(raw.FPDFText_GetFontSize(text, at) * (matrix.c**2 + matrix.d**2) ** 0.5, 2)] += 1
        return found

    @property
    def smallest(self):
        """The size of the smallest text on any page, in points."""
        return min(min(self.sizes(page), default=100) for page in range(len(self.document)))

    def thin_pages(self, foot=1):
        """The numbers of the pages with fewer than 3 lines, apart from the foot, and without a picture."""
        thin = []
        for number, page in enumerate(self.document, 1):
            if len(self.texts[number - 1]) < 1000 and len(self.lines(number - 1)) - foot < 3:
                pictures = [one for one in page.get_objects(max_depth=4) if one.type == raw.FPDF_PAGEOBJ_IMAGE]
                thin += [] if pictures else [number]
        return thin

    def lines(self, page):
        """The heights at which a page has text, in steps of 3 points."""
        text, x, y = self.document[page].get_textpage(), c_double(), c_double()
        found = set()
        for at in range(text.count_chars()):
            if chr(raw.FPDFText_GetUnicode(text, at)).strip():
                raw.FPDFText_GetCharOrigin(text, at, x, y)
                found.add(round(y.value / 3))
        return found

    @property
    def outline(self):
        return [mark.get_title() for mark in self.document.get_toc()]

    @property
    def tagged(self):
        return bool(raw.FPDFCatalog_IsTagged(self.document))

    @property
    def title(self):
        return self.document.get_metadata_dict()["Title"]

    @property
    def links(self):
        """The addresses that a click on a page leads to."""
        found = []
        for page in self.document:
            at, link = c_int(0), raw.FPDF_LINK()
            while raw.FPDFLink_Enumerate(page, at, link):
                action = raw.FPDFLink_GetAction(link)
                buffer = create_string_buffer(2000)
                raw.FPDFAction_GetURIPath(self.document, action, buffer, 2000)
                found.append(buffer.value.decode() or "a page")
        return found

    def brightness(self, page):
        """The mean brightness of a page, 0 to 255."""
        return self.document[page].render(scale=0.3, grayscale=True).to_numpy().mean()
