"""The API reference as it is kept: made once, when somebody opens it, for whoever reads it."""

import asyncio

from securitycamd.web.api.reference import Document
from securitycamd.web.app import API_ROUTES
from securitycamd.web.docs_pages import Reference
from securitycamd.web.ui.environment import make_environment


async def test_who_goes_away_does_not_take_it_from_the_others() -> None:
    reference = Reference(Document(API_ROUTES, "Home"), make_environment())
    first = asyncio.create_task(reference.html("http://nvr:8000"))
    second = asyncio.create_task(reference.html("http://[fd00::1]:8000"))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert first.cancelled()
    # One text, told to each with the address they use.
    theirs = await second
    assert "curl &#39;http://[fd00::1]:8000/api/v1/health&#39;" in theirs
    again = await reference.html("http://nvr:8000")
    assert again == theirs.replace("http://[fd00::1]:8000", "http://nvr:8000")
    assert ".invalid" not in again
