"""Every page in every state, from domain objects to HTML."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from html import unescape
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from securitycamd.domain.history import Entry, What
from securitycamd.domain.jobs import JobKind
from securitycamd.domain.models import Camera, Event, FoundPage, LogLine, Place, Total
from securitycamd.domain.names import Category, ConversionStatus, EventStatus, LogLevel
from securitycamd.domain.words import Piece
from securitycamd.web.ui.cards import Work, cards_context
from securitycamd.web.ui.contexts import PageContext
from securitycamd.web.ui.frame import docs_context, error_context
from securitycamd.web.ui.gallery_contexts import GalleryContext
from securitycamd.web.ui.gallery_view import gallery_context
from securitycamd.web.ui.query import GalleryQuery
from tests.web.ui.event_pages import event_page, failed_job
from tests.web.ui.samples import CAMERAS, NOW, SITE, make_event

Render = Callable[[PageContext], str]
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
DAY = 86400
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "use", "rect", "wbr"}


def gallery(
    items: Sequence[Event] = (),
    *,
    total: int | None = None,
    query: GalleryQuery | None = None,
    cameras: Sequence[Camera] = CAMERAS,
    server_url: str = "http://nvr.lan:8000",
    clip_errors: dict[int, str] | None = None,
    position: int | None = 0,
    newer: Place | None = None,
    older: Place | None = None,
    searched_to: datetime | None = None,
    may_change: bool = True,
) -> GalleryContext:
    query = query or GalleryQuery()
    found = Total(len(items) if total is None else total, is_exact=True)
    return gallery_context(
        FoundPage(list(items), found, position, newer, older, searched_to),
        cameras,
        query,
        site=SITE,
        now=NOW,
        server_url=server_url,
        work=Work(clip_errors=clip_errors or {}),
        may_change=may_change,
    )


STATES: dict[str, Event] = {
    "complete": make_event(),
    "reported": make_event("pictures", "clip", "words", ago=1, status=EventStatus.PROCESSING),
    "pictures": make_event("clip", "words", status=EventStatus.PROCESSING),
    "converting": make_event("clip", "words", mp4_conversion_status=ConversionStatus.PROCESSING),
    "describing": make_event("words"),
    "clip failed": make_event("clip", mp4_conversion_status=ConversionStatus.FAILED),
    "all failed": make_event("clip", "words", mp4_conversion_status=ConversionStatus.FAILED, ai_error="No picture."),
    "interrupted": make_event("clip", status=EventStatus.INTERRUPTED),
    "nothing came": make_event("pictures", "clip", "words", ago=DAY),
    "said nothing": make_event(ai_phrase=None, ai_description=None, ai_objects=None, ai_person_detected=False),
    "unknown camera": make_event(camera_id="gone", confidence_score=None),
}


class Wellformed(HTMLParser):
    """Fails on tags that do not nest; collects ids and links."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        values = dict(attrs)
        if found := values.get("id"):
            self.ids.append(found)
        if tag == "a" and (url := values.get("href")):
            self.links.append(url)
        assert not [name for name in values if name.startswith("on") or name == "style"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def said(pieces: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def parse(html: str) -> Wellformed:
    parser = Wellformed()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert parser.tags.count("h1") == 1
    return parser


@pytest.mark.parametrize("state", STATES)
def test_each_state_of_an_event_is_a_sound_card_and_page(render: Render, state: str) -> None:
    parse(render(gallery([STATES[state]], clip_errors={48213: "The clip is cut short."})))
    page = render(event_page(STATES[state], jobs=[failed_job(JobKind.REMUX, "The clip is cut short.")]))
    parse(page)
    assert ("<video" in page) == (state in {"complete", "describing", "said nothing", "unknown camera"})


@pytest.mark.parametrize(
    ("state", "headline", "kind", "note"),
    [
        ("complete", "Two people walk toward the door", "said", None),
        ("reported", "Pictures arrive in a moment", "wait", None),
        ("pictures", "Clip arrives in a moment", "wait", None),
        ("converting", "Converting the clip…", "wait", None),
        ("describing", "Describing what happened…", "wait", None),
        ("clip failed", "Two people walk toward the door", "said", "Clip could not be converted: Cut short."),
        ("all failed", "Clip could not be converted", "fail", "Cut short."),
        ("interrupted", "Two people walk toward the door", "said", "Recording was interrupted"),
        ("nothing came", "Motion", "quiet", "No pictures arrived"),
        ("said nothing", "Motion", "quiet", None),
    ],
)
def test_the_words_of_a_card(state: str, headline: str, kind: str, note: str | None) -> None:
    card = gallery([STATES[state]], clip_errors={48213: "Cut short."}).days[0].cards[0]
    assert (said(card.headline), card.headline_kind, card.note) == (headline, kind, note)
    assert bool(card.steps) == (kind == "wait")


def test_cards_stand_under_their_day_unless_the_filter_names_it() -> None:
    events = [make_event(), make_event(ago=DAY), make_event(ago=DAY + 60), make_event(ago=3 * DAY)]
    assert [(day.heading, len(day.cards)) for day in gallery(events).days] == [
        ("Today", 1),
        ("Yesterday", 2),
        ("Thursday 20 November", 1),
    ]
    assert [day.heading for day in gallery(events[1:3], query=GalleryQuery(date="yesterday")).days] == [None]


def test_paging_is_exact(render: Render) -> None:
    events = [make_event(id=number) for number in range(24)]
    here, there = Place(NOW, 7), Place(NOW, 31)
    place = f"{int(NOW.timestamp())}000000"
    first = gallery(events, total=1142, query=GalleryQuery(date="today"), older=here)
    assert first.summary == "1–24 of 1,142 today"
    assert first.pager
    assert (first.pager.previous_url, first.pager.next_url) == (None, f"/?date=today&before={place}.7")
    deep = GalleryQuery(before="5.1")
    last = gallery(events[:14], total=1142, query=deep, position=1128, newer=there)
    assert last.summary == "1,129–1,142 of 1,142"
    assert last.pager
    assert (last.pager.previous_url, last.pager.next_url) == (f"/?after={place}.31", None)
    second = gallery(events, total=1142, query=deep, position=24, newer=there)
    assert second.pager
    assert second.pager.previous_url == "/"
    parser = parse(render(first))
    assert {"/?date=today&limit=12", "/?date=today&limit=100", "/?camera_id=camera_1&date=today"} <= set(parser.links)


def test_a_total_that_is_not_known_is_not_pretended() -> None:
    page = FoundPage([make_event()], Total(1000, is_exact=False), None, None, Place(NOW, 1))
    context = gallery_context(page, CAMERAS, GalleryQuery(person=True), site=SITE, now=NOW, server_url="http://x")
    assert context.summary == "1 of more than 1,000"


def test_a_chosen_day_is_named(render: Render) -> None:
    context = gallery([make_event(ago=DAY)], query=GalleryQuery(date="2025-11-21", camera_id=("camera_2",), limit=48))
    assert context.summary == "1–1 of 1 on Friday 21 November"
    assert context.frame.title == "Events · Back patio · Friday 21 November"
    assert context.form.kept == (("camera_id", "camera_2"), ("limit", "48"))
    assert 'value="2025-11-21"' in render(context)


def test_an_event_remembers_where_one_came_from(render: Render) -> None:
    context = gallery([make_event()], query=GalleryQuery(camera_id=("camera_1", "camera_2"), before="5.24"), total=25)
    assert context.days[0].cards[0].url == "/events/48213?camera_id=camera_1&camera_id=camera_2&before=5.24"
    assert "/?before=5.24#event-48213" in parse(render(event_page(make_event()))).links
    assert 'id="event-48213"' in render(context)


@pytest.mark.parametrize(
    ("context", "kind", "words"),
    [
        (gallery(cameras=[]), "no_cameras", "http://nvr.lan:8000/api/v1"),
        (gallery(), "no_events", "Nothing has moved yet"),
        (
            gallery(query=GalleryQuery(camera_id=("camera_3",), date="today")),
            "no_match",
            "Side gate saw no motion today.",
        ),
        (
            gallery(query=GalleryQuery(date="2025-11-02")),
            "no_match",
            "No camera saw motion on Sunday 2 November.",
        ),
        (gallery(query=GalleryQuery(camera_id=("gone",))), "no_match", "gone saw no motion."),
        (gallery(total=30, query=GalleryQuery(before="5.5")), "past_end", "The list ends before this page"),
        (
            gallery(query=GalleryQuery(person=True, date="today", q="van")),
            "no_match",
            "Nothing that fits “van” happened today.",
        ),
        (gallery(query=GalleryQuery(starred=True), searched_to=NOW), "further", "Look further back"),
    ],
)
def test_nothing_to_show_says_why_and_what_to_do(
    render: Render, context: GalleryContext, kind: str, words: str
) -> None:
    assert context.empty
    assert context.empty.kind == kind
    assert context.pager is None
    page = render(context)
    parse(page)
    assert words in unescape(page)
    assert 'class="actions"' in page


def test_an_address_of_this_machine_is_not_one_for_agents() -> None:
    for url, is_local in [
        ("http://127.0.0.1:8000", True),
        ("http://localhost", True),
        ("http://[::1]:80", True),
    ]:
        assert gallery(cameras=[], server_url=url).agent_url_is_local is is_local
    assert not gallery(cameras=[], server_url="http://192.168.1.2:8000/").agent_url_is_local


def test_the_state_of_cameras_is_on_every_page(render: Render) -> None:
    for context in (
        gallery([make_event()]),
        event_page(make_event()),
        error_context(404, "There is no event 9.", site=SITE, now=NOW, cameras=CAMERAS),
        docs_context(Markup("<p>Here.</p>"), CAMERAS, site=SITE, now=NOW),
    ):
        page = render(context)
        assert "2 of 3 cameras online" in page
        assert "Side gate" in page
    assert gallery(cameras=CAMERAS[:2]).frame.cameras_summary == "All 2 cameras online"
    assert gallery(cameras=CAMERAS[:1]).frame.cameras_summary == "1 camera online"


@pytest.mark.parametrize(
    ("status", "title", "words"),
    [
        (403, "Not allowed", "agents.trusted_networks"),
        (404, None, "Not Found"),
        (503, "Temporarily unavailable", "How the server is"),
        (500, None, "Internal Server Error"),
        (502, None, "Bad Gateway"),
        (422, None, "Unprocessable"),
        (599, None, "Error"),
    ],
)
def test_errors_say_what_to_do(render: Render, status: int, title: str | None, words: str) -> None:
    retry_url = "/?before=5.24" if status == 503 else None
    context = error_context(status, "A sentence.", site=SITE, now=NOW, title=title, retry_url=retry_url)
    page = render(context)
    parse(page)
    assert words in page
    assert "A sentence." in page
    assert f"Error {status}" in page
    assert "not known here" in page
    assert [action.url for action in context.actions] == {403: [], 503: [retry_url, "/system"]}.get(status, ["/"])
    assert ("data-comes-back" in page) == (status == 503)


@pytest.mark.parametrize("part", ["pictures", "words", ""])
def test_what_others_say_is_text(render: Render, part: str) -> None:
    camera = replace(CAMERAS[0], name=HOSTILE, location=HOSTILE)
    is_said = part != "words"
    event = make_event(
        part,
        "clip",
        mp4_conversion_status=ConversionStatus.FAILED,
        ai_phrase=HOSTILE if is_said else None,
        ai_description=HOSTILE if is_said else None,
        ai_error=None if is_said else HOSTILE,
        ai_objects=json.dumps([{"label": HOSTILE[:38], "count": 2}]),
    )
    if part != "pictures":
        event = replace(event, image_a_path=f"c/{HOSTILE}.jpg", thumbnail_path=f"c/{HOSTILE}.jpg")
    pages = (
        render(gallery([event], clip_errors={48213: HOSTILE}, cameras=[camera])),
        render(
            event_page(
                event,
                cameras=[camera],
                jobs=[failed_job(kind, HOSTILE) for kind in JobKind],
                history=[Entry(event.id, NOW, What.CLIP_FAILED, HOSTILE, HOSTILE)],
                lines=[LogLine(1, HOSTILE, NOW, LogLevel.ERROR, HOSTILE)],
            )
        ),
        render(error_context(404, HOSTILE, site=replace(SITE, name=HOSTILE), now=NOW, cameras=[camera])),
    )
    for page in pages:
        parse(page)
        assert "<script>" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)" in page


def test_pages_are_light(render: Render) -> None:
    hundred = [make_event(id=10**6 + number, ago=60 * number) for number in range(24)]
    cameras = [replace(CAMERAS[0], camera_id=f"camera_{number}", name=f"Camera {number}") for number in range(12)]
    assert len(render(gallery(hundred, cameras=cameras, total=10**6)).encode()) < 70_000
    assert len(render(event_page(make_event())).encode()) < 25_000


def test_what_is_asked_for_can_be_seen_and_dropped(render: Render) -> None:
    query = GalleryQuery(
        camera_id=("camera_1", "camera_3"),
        date="yesterday",
        hour=18,
        category=(Category.PERSON, Category.LIGHT),
        person=False,
        status=(EventStatus.INTERRUPTED,),
        reviewed=False,
        min_confidence=0.7,
        q="red van",
    )
    context = gallery([make_event(ago=DAY)], query=query)
    assert [chip.label for chip in context.active_chips] == [
        "“red van”",
        "18:00 to 19:00",
        "Light or weather",
        "Without people",
        "Interrupted",
        "At least 70% sure",
    ]
    for chip in context.active_chips:
        assert chip.is_on
        dropped = GalleryQuery.read_url(chip.url)
        assert len(dropped.parameters) == len(query.parameters) - 1
    assert [chip.label for chip in context.camera_chips if chip.is_on] == ["Front walk", "Side gate"]
    assert context.frame.title == "Events · Front walk and Side gate · Yesterday"
    page = render(context)
    parse(page)
    assert '<option value="interrupted" selected>' in page
    assert '<option value="0.7" selected>' in page


def test_each_choice_leads_on_from_where_one_is() -> None:
    query = GalleryQuery(camera_id=("camera_1",), date="today", view="list", before="5.5")
    context = gallery([make_event()], query=query)
    urls = {chip.label: chip.url for chip in context.camera_chips}
    urls |= {chip.label: chip.url for chip in context.category_chips}
    urls |= {chip.label: chip.url for chip in context.flag_chips}
    assert urls["All cameras"] == "/?date=today&view=list&camera_id=all"
    assert urls["Front walk"] == "/?date=today&view=list&camera_id=all"
    assert urls["Side gate"] == "/?camera_id=camera_1&camera_id=camera_3&date=today&view=list"
    assert urls["Person"] == "/?camera_id=camera_1&date=today&category=person&view=list"
    assert urls["Not reviewed"] == "/?camera_id=camera_1&date=today&reviewed=no&view=list"


def test_new_events_belong_on_the_first_page_of_a_stretch_that_reaches_now() -> None:
    def shows_new(query: GalleryQuery) -> bool:
        return gallery([make_event()], query=query).state.shows_new

    assert shows_new(GalleryQuery())
    assert shows_new(GalleryQuery(date="today"))
    assert shows_new(GalleryQuery(date="7days", camera_id=("camera_1",)))
    assert not shows_new(GalleryQuery(date="yesterday"))
    assert not shows_new(GalleryQuery(before="5.5"))
    assert not shows_new(GalleryQuery(date="today", hour=3))


def test_who_may_only_look_is_offered_nothing_else(render: Render) -> None:
    page = render(gallery([make_event()], may_change=False))
    assert "review-all" not in page
    assert 'data-may-change="0"' in page


def test_a_storage_that_is_gone_is_said_and_the_rest_is_shown(render: Render) -> None:
    page = FoundPage([make_event()], Total(1, is_exact=True), 0, None, None)
    context = gallery_context(
        page, CAMERAS, GalleryQuery(), site=SITE, now=NOW, server_url="http://x", notice="The storage is not there."
    )
    html = render(context)
    parse(html)
    assert 'class="warning"' in html
    assert "The storage is not there." in html
    assert 'class="card"' in html


def test_a_card_shows_what_was_done_with_its_event(render: Render) -> None:
    event = make_event(reviewed=True, protected=True, note="The <post> came")
    card = gallery([event]).days[0].cards[0]
    assert (card.is_reviewed, card.is_starred, said(card.own_note)) == (True, True, "The <post> came")
    page = render(cards_context([event], CAMERAS, GalleryQuery(), site=SITE, now=NOW, work=Work()))
    assert "item is-reviewed is-starred" in page
    assert "The &lt;post&gt; came" in page


def test_a_running_conversion_says_how_far_it_is(render: Render) -> None:
    work = Work(clip_progress={48213: 0.617})
    context = cards_context([STATES["converting"]], CAMERAS, GalleryQuery(), site=SITE, now=NOW, work=work)
    assert said(context.cards[0].headline) == "Converting the clip, 62 %"
    assert '<rect width="62" height="4"/>' in render(context)


def test_a_camera_that_is_put_away_is_offered_no_more_than_what_was_asked_for() -> None:
    cameras = [CAMERAS[0], replace(CAMERAS[1], is_hidden=True)]
    offered = [chip.label for chip in gallery([make_event()], cameras=cameras).camera_chips]
    assert offered == ["All cameras", "Front walk"]
    asked = gallery([make_event()], cameras=cameras, query=GalleryQuery(camera_id=("camera_2",))).camera_chips
    assert [(chip.label, chip.is_on) for chip in asked][2:] == [("Back patio", True)]
