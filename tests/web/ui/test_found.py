"""Where an event says what was searched for, on its card and its page."""

from collections.abc import Callable, Iterable

from securitycamd.domain.models import FoundPage, Total
from securitycamd.domain.words import Piece
from securitycamd.web.ui.cards import NO_WORK, cards_context
from securitycamd.web.ui.contexts import PageContext
from securitycamd.web.ui.gallery_contexts import CardsContext, CardView
from securitycamd.web.ui.gallery_view import gallery_context
from securitycamd.web.ui.query import GalleryQuery
from tests.web.ui.samples import CAMERAS, NOW, SITE, make_event

Render = Callable[[PageContext], str]


def cards(words: str, note: str = "", phrase: str | None = "Two people walk toward the door") -> CardsContext:
    event = make_event(note=note, ai_phrase=phrase)
    return cards_context([event], CAMERAS, GalleryQuery(q=words), site=SITE, now=NOW, work=NO_WORK)


def card(words: str, note: str = "", phrase: str | None = "Two people walk toward the door") -> CardView:
    return cards(words, note, phrase).cards[0]


def hits(pieces: Iterable[Piece]) -> list[str]:
    return [piece.text for piece in pieces if piece.is_hit]


def test_phrase_and_description_are_marked(render: Render) -> None:
    shown = card("PEOPLE path")
    assert hits(shown.headline) == ["people"]
    assert hits(shown.found) == ["people", "path"]
    assert "Two <mark>people</mark> walk" in render(cards("PEOPLE path"))


def test_what_the_headline_says_is_not_said_twice() -> None:
    shown = card("people")
    assert (hits(shown.headline), shown.found) == (["people"], ())


def test_a_note_is_marked_in_its_place_and_stays_text(render: Render) -> None:
    shown = card("parcel", "Not the parcel <b>")
    assert (hits(shown.headline), shown.found, hits(shown.own_note)) == ([], (), ["parcel"])
    assert "Not the <mark>parcel</mark> &lt;b&gt;" in render(cards("parcel", "Not the parcel <b>"))


def test_what_only_the_objects_say_is_shown() -> None:
    assert [(piece.text, piece.is_hit) for piece in card("van").found] == [("person, ", False), ("van", True)]


def test_the_description_that_is_the_headline_is_not_said_twice(render: Render) -> None:
    shown = card("path", phrase=None)
    assert (hits(shown.headline), shown.found) == (["path"], ())
    assert render(cards("path", phrase=None)).count("<mark>path</mark>") == 1


def test_without_words_that_are_wanted_nothing_is_marked(render: Render) -> None:
    for words in ("", "-dog", "&"):
        shown = card(words, "A note")
        assert (hits(shown.headline), shown.found, hits(shown.own_note)) == ([], (), [])
        assert "<mark>" not in render(cards(words))


def test_a_long_text_is_shown_around_its_first_hit() -> None:
    shown = card("zebra", "far " * 200 + "zebra" + " away" * 200)
    assert hits(shown.own_note) == ["zebra"]
    assert len("".join(piece.text for piece in shown.own_note)) < 130


def test_what_cannot_be_searched_for_is_named() -> None:
    def summary(words: str) -> str:
        page = FoundPage([make_event()], Total(1, is_exact=True), 0, None, None)
        query = GalleryQuery(q=words)
        return gallery_context(page, CAMERAS, query, site=SITE, now=NOW, server_url="http://x").summary

    assert summary("people &") == "1–1 of 1 · left out of the search: “&”"
    assert summary("people") == "1–1 of 1"
