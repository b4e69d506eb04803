"""The page about storage in every state, from a report to HTML."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from securitycamd.domain.retention import CameraForecast, Disk, Forecast, Limits, Reason, Rules, Use
from securitycamd.domain.retention_plan import PlannedDay
from securitycamd.services.retention import RetentionReport
from securitycamd.web.ui.contexts import PageContext
from securitycamd.web.ui.storage_view import storage_context
from tests.web.ui.samples import CAMERAS, NOW, SITE

Render = Callable[[PageContext], str]
GB = 10**9
TODAY = NOW.date()


def going(on: int, ago: int, reason: Reason = Reason.AGE, *, partly: bool = False, events: int = 12) -> PlannedDay:
    return PlannedDay("camera_1", TODAY - timedelta(days=ago), events, GB, reason, partly, TODAY + timedelta(days=on))


REPORT = RetentionReport(
    at=NOW,
    enabled=True,
    rules=Rules(Limits(30, 900 * GB), {"camera_2": Limits(math.inf, 50 * GB)}, 2 * GB),
    log_days=30,
    disk=Disk(1000 * GB, 300 * GB),
    used={"camera_1": Use(400 * GB, 40 * GB), "camera_2": Use(100 * GB), "camera_3": Use(0)},
    planned=[going(0, 31), going(0, 30, partly=True), going(1, 30), going(3, 29, Reason.SIZE)],
    forecast=Forecast(
        20 * GB,
        14.9,
        39.5,
        (
            CameraForecast("camera_1", 16 * GB, 22.4, 30),
            CameraForecast("camera_2", 4 * GB, 12.5, None),
            CameraForecast("camera_3", 0.0, None, 30),
        ),
    ),
    warnings=["camera_1 is promised 30 days, but only about 22.4 fit at the last week's rate."],
    saved_bytes=61 * GB,
)


def test_what_is_wrong_with_the_storage_comes_before_what_will_be(render: Render) -> None:
    text = render(storage_context(REPORT, CAMERAS, site=SITE, notice="The footage storage is not there."))
    assert 0 < text.index("The footage storage is not there.") < text.index("Front walk is promised 30 days")


def test_everything_is_said_in_words(render: Render) -> None:
    text = render(storage_context(REPORT, CAMERAS, site=SITE))
    for words in (
        "500.0 GB of footage · 300.0 GB free",
        "Front walk is promised 30 days",
        "Footage 460.0 GB",
        "Starred 40.0 GB",
        "Other files 200.0 GB",
        "Free 300.0 GB",
        "Saved by smaller clips",
        "61.0 GB",
        "Now: 2.0 GB",
        "Tomorrow: 1.0 GB",
        "Wed 26 Nov: 1.0 GB",
        "part of Fri 24 Oct",
        "about 12 events, 1.0 GB",
        "older than 30 days",
        "all cameras together may take 900.0 GB",
        "16.0 GB a day · 40.0 GB starred · will reach back 22 days · 30 days are promised",
        "Back patio: no age at which events go, and it may take 50.0 GB.",
        "Log lines go after 30 days.",
    ):
        assert words in text, words
    assert "camera_1" not in text.partition('id="content"')[2]


def test_bars_add_up() -> None:
    context = storage_context(REPORT, CAMERAS, site=SITE)
    assert sum(share.width for share in context.disk_shares) == 100
    assert [share.kind for share in context.disk_shares] == ["footage", "starred", "other", "free"]
    assert [(use.percent, use.protected_percent) for use in context.uses] == [(100, 10), (25, 0), (0, 0)]


def test_a_disk_that_does_not_answer_and_rules_that_are_off(render: Render) -> None:
    report = replace(
        REPORT, enabled=False, disk=None, planned=[], rules=Rules(), log_days=0, forecast=Forecast(0.0, None, None)
    )
    text = render(storage_context(report, [], site=SITE))
    for words in ("does not answer", "Nothing: retention is switched off.", "No age at which", "kept for ever"):
        assert words in text, words


def test_a_long_plan_is_cut_and_says_so(render: Render) -> None:
    report = replace(REPORT, planned=[going(0, 40 + ago) for ago in range(40)] + [going(on, 9) for on in range(1, 15)])
    context = storage_context(report, CAMERAS, site=SITE)
    assert len(context.going) == 7
    assert len(context.going[0].rows) == 13
    assert "28 more" in render(context)
