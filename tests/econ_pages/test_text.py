"""Text that cannot change how other text is shown."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from econ_pages.text import visible


def test_control_characters_are_shown_and_do_nothing() -> None:
    assert visible("a\x1b[31mred\x07\x7f") == "a␛[31mred␇␡"
    assert visible("a\rb\x85c") == "a␍b⟨U+0085⟩c"


def test_direction_marks_are_shown_by_number() -> None:
    assert visible("abc\u202edef\u2066") == "abc⟨U+202E⟩def⟨U+2066⟩"
    assert visible("no\u200bspace\u2028line") == "no⟨U+200B⟩space⟨U+2028⟩line"


def test_half_characters_are_shown_by_number() -> None:
    assert visible("\ud800") == "⟨U+D800⟩"


def test_ordinary_text_of_any_script_stays() -> None:
    for text in ("é ß 漢字 עברית", "👩\u200d🔬", "a\n\tb", r"\boxed{7} <b>&amp;"):
        assert visible(text) == text
    assert visible("a\r\nb") == "a\nb"


@given(st.text())
def test_no_character_is_left_that_controls_or_reorders(text: str) -> None:
    for character in visible(text):
        assert unicodedata.category(character) not in ("Cs", "Zl", "Zp")
        assert unicodedata.category(character) != "Cc" or character in "\n\t"
        assert unicodedata.bidirectional(character) not in (
            *("LRE", "RLE", "PDF", "LRO", "RLO"),
            *("LRI", "RLI", "FSI", "PDI"),
        )
