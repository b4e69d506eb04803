"""What the protocol tests share: no request may end in an error that nobody foresaw."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict


@pytest.fixture(autouse=True)
def server_log() -> Iterator[list[EventDict]]:
    """The server's own log lines; a failed request among them fails the test, whatever the reply was."""
    with capture_logs() as lines:
        yield lines
    assert [line for line in lines if line["event"] == "request failed"] == []
