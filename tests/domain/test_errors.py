import importlib
import pkgutil

import pytest

from securitycamd import domain
from securitycamd.domain.errors import (
    AiUnavailableError,
    DatabaseUnavailableError,
    DomainError,
    InvalidError,
    StorageUnavailableError,
    UnavailableError,
)


def everything(kind: type[DomainError] = DomainError) -> list[type[DomainError]]:
    return [kind, *(deeper for child in kind.__subclasses__() for deeper in everything(child))]


def test_every_error_has_a_status_that_http_knows_and_a_short_title() -> None:
    for module in pkgutil.iter_modules(domain.__path__, "securitycamd.domain."):
        importlib.import_module(module.name)
    for kind in everything():
        assert 400 <= kind.status < 600, kind
        assert 0 < len(kind.title) < 40, kind
        assert not kind.title.endswith("."), kind
        assert kind.__doc__, kind


def test_an_invalid_value_names_its_field() -> None:
    error = InvalidError("timestamp", "must be a time")
    assert str(error) == "timestamp: must be a time"
    assert (error.field, error.reason, error.status) == ("timestamp", "must be a time", 422)


@pytest.mark.parametrize("error", [DatabaseUnavailableError(), StorageUnavailableError()])
def test_a_part_that_is_away_says_when_to_come_again(error: UnavailableError) -> None:
    assert error.status == 503
    assert error.retry_after_seconds > 0
    assert str(error).endswith("shortly.")


def test_the_ai_server_is_a_part_that_may_be_away() -> None:
    assert issubclass(AiUnavailableError, UnavailableError)
