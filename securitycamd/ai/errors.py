"""Errors that do not leave this room."""


class RejectedError(Exception):
    """The AI server understood a request and will not do it (400). ``text`` is its reason, untrusted."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
