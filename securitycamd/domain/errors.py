"""The one tree of errors that people and agents may see; their text is written for them."""

from typing import ClassVar


class DomainError(Exception):
    """Something the caller can be told. ``str(error)`` is the sentence; it never carries SQL or paths of ours."""

    status: ClassVar[int] = 500
    """The HTTP status that says the same."""
    title: ClassVar[str] = "Something went wrong"
    """The kind of trouble in a few words, the same for every error of the class."""


class NotFoundError(DomainError):
    """What was asked for is not here, or not for this principal to know of."""

    status = 404
    title = "Not found"


class InvalidError(DomainError):
    """A value breaks a rule; ``field`` names it as the caller does."""

    status = 422
    title = "Invalid input"

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


class EmptyBatchError(DomainError):
    """A batch with nothing in it; the protocol answers it with 400."""

    status = 400
    title = "Empty batch"


class ForbiddenError(DomainError):
    """The principal may not do this."""

    status = 403
    title = "Not allowed"


class ConflictError(DomainError):
    """The thing is in a state that forbids this now."""

    status = 409
    title = "Not possible now"


class UnavailableError(DomainError):
    """A part we need is away for the moment; the caller should come again."""

    status = 503
    title = "Temporarily unavailable"
    retry_after_seconds: ClassVar[int] = 2


class DatabaseUnavailableError(UnavailableError):
    """The database does not answer; nothing was changed."""

    def __init__(self, message: str = "The database is away for a moment; try again shortly.") -> None:
        super().__init__(message)


class StorageUnavailableError(UnavailableError):
    """The storage root does not answer."""

    def __init__(self, message: str = "The footage storage does not answer; try again shortly.") -> None:
        super().__init__(message)


class AiUnavailableError(UnavailableError):
    """The AI server is away: refused, loading or busy. The work waits for it."""


class AiSetupError(AiUnavailableError):
    """Something is missing that only people can give: a model, one that sees, the right address. All work waits."""


class AiFaultError(AiUnavailableError):
    """The server failed at this request, or never came to its end: its own fault, or that of what it was asked."""


class AnalysisError(DomainError):
    """One event cannot be described; another may."""

    status = 422
    title = "Analysis failed"


class CameraUnavailableError(UnavailableError):
    """A camera's agent does not answer, or not as agreed; the message says which, in words for people.

    ``may_have_acted``: it was told to do something, and may have done it though nobody knows.
    """

    title = "The camera does not answer"
    retry_after_seconds = 5

    def __init__(self, message: str, *, may_have_acted: bool = False) -> None:
        super().__init__(message)
        self.may_have_acted = may_have_acted


class TooManyViewersError(UnavailableError):
    """As many people watch as are allowed."""

    title = "Too many viewers"
    retry_after_seconds = 30
