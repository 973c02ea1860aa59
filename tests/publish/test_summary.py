# SPDX-License-Identifier: GPL-2.0-only
"""A slide shows a summary of a long text."""

from hypothesis import given
from hypothesis import strategies as st

from kvmmmu_lab.publish.summary import MAX_WORDS, sentences, summary, word_count

LONG = "It could look at all of them, which takes its time for each page table that the guest begins to use. " * 4


def test_a_short_text_is_unchanged():
    assert summary("One thought, *and* `no more`.\n\n- with a list") == "One thought, *and* `no more`.\n\n- with a list"


def test_bold_sentences_are_taken_first_then_questions():
    text = f"{LONG}This note is the **reverse map** of the frame. (Or so.) {LONG}\n\nWhich are they? {LONG}"
    assert "This note is the **reverse map** of the frame." in summary(text)
    assert "Which are they?" in summary(text)
    assert "(Or so.)" not in summary(text)


def test_a_sentence_that_introduces_a_list_is_left_out_with_it():
    text = f"{LONG}\n\nAfter this lesson you can say\n\n" + "\n".join(f"- {LONG}" for _ in range(3))
    assert "After this lesson" not in summary(text)


def test_an_item_keeps_its_mark_and_its_first_sentence():
    text = f"{LONG}\n\n1. The spte **leaves** the map. {LONG}\n2. It becomes **zero**. {LONG}"
    assert summary(text).endswith("1. The spte **leaves** the map.\n2. It becomes **zero**.")


def test_the_table_of_an_item_is_kept_in_it():
    table = "  | bits | |\n  | --- | --- |\n  | 0 | P |"
    assert summary(f"{LONG}\n\n- It **has** bits:\n\n{table}\n\n- {LONG}").endswith(f"- It **has** bits:\n\n{table}")


def test_tables_and_code_are_kept():
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |"
    drawing = "```text\noffset 0\n\n       1\n```"
    assert summary(f"{LONG}{LONG}\n\n{table}\n\n{drawing}\n{LONG}").endswith(f"{table}\n\n{drawing}")


def test_markup_around_a_sentence_stays_with_it():
    assert sentences("**Present, both.** Why? (So.) e.g. this") == ["**Present, both.**", "Why?", "(So.) e.g. this"]


SENTENCE = st.lists(st.sampled_from(["frame", "**map**", "spte", "`#7:12`", "why"]), min_size=1, max_size=12).map(
    lambda them: " ".join(them).capitalize() + "."
)


@given(st.lists(st.lists(SENTENCE, min_size=1, max_size=5).map(" ".join), min_size=1, max_size=4).map("\n\n".join))
def test_a_summary_is_never_too_long_and_never_has_other_words(text):
    short = summary(text)
    assert word_count(short) <= MAX_WORDS or word_count(text) <= MAX_WORDS
    assert set(short.split()) <= set(text.split())
