"""The gallery's filter state, which is its URL."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Final, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from securitycamd.domain.errors import InvalidError
from securitycamd.domain.names import CAMERA_ID_PATTERN
from securitycamd.domain.times import named_day

PAGE_SIZES: Final = (12, 24, 48, 100)
DEFAULT_PAGE_SIZE: Final = 24
LARGEST_OFFSET: Final = 2**31 - 1
# Made at import: a zone is read from the disk at its first use.
_UTC: Final = ZoneInfo("UTC")
NAMED_DAYS: Final = ("today", "yesterday")


def _day(value: str) -> str:
    if value in NAMED_DAYS:
        return value
    try:
        # Basic and week dates are dates to the library too; one day has one URL.
        canonical = date.fromisoformat(value).isoformat()
        named_day(canonical, _UTC)
    except (ValueError, InvalidError) as error:
        raise ValueError("use today, yesterday or YYYY-MM-DD") from error
    return canonical


class GalleryQuery(BaseModel):
    """Which events the gallery shows. Each of the neighbouring states has a URL."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    camera_id: Annotated[str, Field(pattern=CAMERA_ID_PATTERN)] | None = None
    date: Annotated[str, AfterValidator(_day)] | None = None
    limit: Literal[12, 24, 48, 100] = DEFAULT_PAGE_SIZE
    offset: Annotated[int, Field(ge=0, le=LARGEST_OFFSET)] = 0

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> "GalleryQuery":
        """The query of a URL. What cannot be used, or is empty as forms send it, is left out."""
        given: dict[str, object] = {}
        for name in cls.model_fields:
            value = parameters.get(name, "")
            if not value:
                continue
            parsed = int(value) if name in {"limit", "offset"} and _is_count(value) else value
            try:
                cls.model_validate({name: parsed})
            except ValidationError:
                continue
            given[name] = parsed
        return cls.model_validate(given)

    @property
    def is_filtered(self) -> bool:
        """Whether it leaves any event out."""
        return self.camera_id is not None or self.date is not None

    def for_camera(self, camera_id: str | None) -> "GalleryQuery":
        """The same for another camera (``None``: all), from the first page."""
        return self.model_copy(update={"camera_id": camera_id, "offset": 0})

    def for_date(self, day: str | None) -> "GalleryQuery":
        """The same for ``today``, ``yesterday`` or a day ``YYYY-MM-DD`` (``None``: all), first page."""
        return self.model_copy(update={"date": day, "offset": 0})

    def per_page(self, limit: int) -> "GalleryQuery":
        """The same with another page size; the first event shown now stays on the page."""
        return self.model_copy(update={"limit": limit, "offset": self.offset // limit * limit})

    def at(self, offset: int) -> "GalleryQuery":
        """The page that starts at ``offset``; before the first it is the first."""
        return self.model_copy(update={"offset": max(0, offset)})

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Names and values of the URL, without those that say nothing."""
        pairs: list[tuple[str, str]] = []
        if self.camera_id is not None:
            pairs.append(("camera_id", self.camera_id))
        if self.date is not None:
            pairs.append(("date", self.date))
        if self.limit != DEFAULT_PAGE_SIZE:
            pairs.append(("limit", str(self.limit)))
        if self.offset:
            pairs.append(("offset", str(self.offset)))
        return tuple(pairs)

    def url(self, path: str = "/") -> str:
        """``path`` in this state; an event's page carries it too, to find the way back."""
        return f"{path}?{urlencode(self.parameters)}" if self.parameters else path


def _is_count(value: str) -> bool:
    # Bounded: int() of a very long numeral is slow, and refused by newer Pythons.
    return value.isascii() and value.isdecimal() and len(value) <= len(str(LARGEST_OFFSET))
