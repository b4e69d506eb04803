"""Errors that do not leave this room, and sentences that several modules say."""

from collections.abc import Sequence


class RejectedError(Exception):
    """The AI server understood a request and will not do it (400). ``text`` is its reason, untrusted."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def missing_sentence(models: Sequence[str]) -> str:
    """What to do about models that the server does not have."""
    named = f"the model {models[0]}" if len(models) == 1 else f"the models {' and '.join(models)}"
    return f"The AI server lacks {named}; run: securitycamd ai pull"
