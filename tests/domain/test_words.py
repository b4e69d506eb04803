import pytest
from hypothesis import given
from hypothesis import strategies as st

from securitycamd.domain.words import (
    TERMS_LIMIT,
    Term,
    index_text,
    marked,
    read_search,
    spelled_out,
    words_in,
)


def spellings(text: str) -> list[str]:
    return [word.spelling for word in words_in(text)]


def test_capitals_accents_and_widths_do_not_count() -> None:
    assert spellings("STRASSE café ＶＡＮＳ") == spellings("straße CAFE vans") == ["strasse", "cafe", "vans"]


def test_short_words_and_those_that_servers_leave_out_are_made_like_others() -> None:
    assert spellings("A van with the TV") == ["a___", "van___", "with___", "the___", "tv___"]


def test_other_letters_are_written_in_ascii_and_keep_their_beginnings() -> None:
    [whole], [beginning] = spellings("человек"), spellings("чел")
    assert whole.isascii()
    assert whole.startswith(beginning)


def test_scripts_without_spaces_are_cut_into_pairs() -> None:
    text = "行人走过"
    assert [text[word.start : word.end] for word in words_in(text)] == ["行人", "人走", "走过", "过"]
    assert read_search("行人").terms == (Term(tuple(spellings("行人")[:1])),)
    assert read_search("行").terms[0].is_prefix


def test_what_a_person_types() -> None:
    search = read_search('ladder "parked van" veh* -cat -"at the door" +++ 😀')
    assert search.terms == (
        Term(("ladder",)),
        Term(("parked", "van___")),
        Term(("veh",), is_prefix=True),
        Term(("cat___",), is_excluded=True),
        Term(("at___", "the___", "door"), is_excluded=True),
    )
    assert search.ignored == ("+++", "😀")


def test_a_word_with_a_hyphen_is_two_in_a_row() -> None:
    assert read_search("dark-blue").terms == (Term(("dark", "blue")),)


@given(st.text(st.characters() | st.sampled_from("aZ0 -\u0301\u00a0\u3000é行ß"), max_size=200))
def test_the_quick_way_through_plain_text_finds_the_same_words(text: str) -> None:
    assert list(words_in(text)) == list(spelled_out(text, 0, len(text)))


def test_no_more_terms_than_count() -> None:
    search = read_search(" ".join(f"word{number}" for number in range(TERMS_LIMIT + 3)))
    assert len(search.terms) == TERMS_LIMIT
    assert len(search.ignored) == 3


@given(st.text(max_size=600))
def test_no_text_is_an_error_and_all_that_is_kept_is_plain(text: str) -> None:
    search = read_search(text)
    for term in search.terms:
        for spelling in term.spellings:
            assert set(spelling) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
            assert 0 < len(spelling) <= 84 - len("_2511")
    kept = index_text([text], "2511")
    assert kept.isascii()
    assert kept == " " + " ".join(kept.split()) + " " or not kept.strip()


@given(st.text(max_size=200), st.text(max_size=40), st.integers(0, 60))
def test_pieces_are_the_text(text: str, typed: str, limit: int) -> None:
    whole = marked(text, read_search(typed))
    assert "".join(piece.text for piece in whole) == text
    cut = [piece for piece in marked(text, read_search(typed), limit=limit) if piece.text != "…"]
    assert "".join(piece.text for piece in cut) in text


@given(st.lists(st.text(st.characters(categories=("L", "N", "P", "Zs")), min_size=1, max_size=12), max_size=8))
def test_every_word_of_a_text_finds_it(words: list[str]) -> None:
    text = " ".join(words)
    kept = index_text([text], "2511")
    for chunk in text.split():
        for term in read_search(f'"{chunk}"').terms:
            if not term.is_prefix:
                assert " " + " ".join(f"{word}_2511" for word in term.spellings) + " " in kept


def test_hits_are_marked() -> None:
    text = "A person walks toward the parked van; the VAN door is open."
    pieces = marked(text, read_search('van "parked van" wal*'))
    assert [piece.text for piece in pieces if piece.is_hit] == ["walks", "parked van", "VAN"]


@pytest.mark.parametrize("markup", ["<script>alert(1)</script>", "<b>van</b>", "&lt;van"])
def test_markup_stays_text(markup: str) -> None:
    pieces = marked(f"x {markup} y", read_search("van script"))
    assert "".join(piece.text for piece in pieces) == f"x {markup} y"


def test_a_snippet_is_cut_around_its_first_hit() -> None:
    text = "nothing of note " * 30 + "a ladder leans on the wall " + "and so on " * 30
    pieces = marked(text, read_search("ladder"), limit=80)
    assert sum(len(piece.text) for piece in pieces) <= 82
    assert [piece.text for piece in pieces if piece.is_hit] == ["ladder"]
    assert pieces[0].text == pieces[-1].text == "…"
