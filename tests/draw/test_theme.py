# SPDX-License-Identifier: GPL-2.0-only
"""The stylesheet: every text is readable in both themes, and colour is never the only sign."""

import re

import pytest

from kvmmmu_lab.draw import theme

TINTED = [name.removesuffix("-tint") for name in theme.colours() if name.endswith("-tint")]
PAIRS = [
    *[("text", behind) for behind in ("paper", "stage", *(f"{name}-tint" for name in TINTED))],
    *[("quiet", behind) for behind in ("paper", "stage")],
    *[("on-bar", name) for name in TINTED],
    ("on-changed", "changed"),
    # titles of boxes, and labels of edges
    *[(name, "stage") for name in TINTED],
]


def luminance(colour):
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), parts, strict=True))


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "behind"), PAIRS)
def test_texts_can_be_read(dark, text, behind):
    colours = theme.colours(dark)
    assert contrast(colours[text], colours[behind]) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_is_not_there_is_fainter_than_what_is(dark):
    colours = theme.colours(dark)
    faint = contrast(colours["ghost"], colours["stage"])
    assert 1.3 < faint < min(contrast(colours[name], colours["stage"]) for name in TINTED)


def test_both_themes_name_the_same_colours_and_all_that_are_used():
    css = theme.stylesheet()
    light, night = (set(re.findall(r"--([\w-]+):", block)) for block in re.findall(r"\{([^{}]*--[^{}]*)\}", css)[:2])
    used = set(re.findall(r"var\(--([\w-]+)\)", css))
    assert light == night == used
    assert not re.findall("#[0-9A-Fa-f]{3,8}", css[css.index(".kvmmmu-drawing text") :])


def test_all_rules_are_about_drawings_only():
    rules = re.sub(r"/\*.*?\*/", "", theme.stylesheet(), flags=re.DOTALL)
    for selectors in re.findall(r"([^{}]+)\{", rules):
        for selector in selectors.split(","):
            assert ".kvmmmu-drawing" in selector.split()[0] or selector.strip() == ".kvmmmu-dark .kvmmmu-drawing"


def test_a_still_picture_needs_no_custom_properties():
    style = theme.still_style()
    assert "--" not in style and "dark" not in style
    assert theme.colours()["changed"] in style


def test_colour_is_never_the_only_sign():
    style = theme.still_style()
    rules = dict(re.findall(r"([^{}]+)\{([^{}]*)\}", style))

    def said(*names):
        return " ".join(rule for selector, rule in rules.items() if all(name in selector for name in names))

    assert "bold" in said(".row.changed")
    assert "line-through" in said(".row.dead") and "line-through" in said(".table.dead")
    assert "stroke" in said(".new", ".second")
    assert all("dasharray" in said(f".{kind}", ".line") for kind in ("readonly", "rmap", "parent", "shadows"))
    assert all(theme.SIGNS[mark] for mark in ("changed", "read", "dead", "new"))


def test_no_text_is_smaller_than_11_pixels():
    sizes = [float(size) for size in re.findall(r"(?:font|font-size): (\d+(?:\.\d+)?)px", theme.stylesheet())]
    assert sizes and min(sizes) >= 11


def test_plain_text():
    assert theme.plain("a\x00b\ud800") == "a\ufffdb\ufffd"
    assert len(theme.plain("x" * 5000)) == theme.LONGEST
