"""Agents for lives that end again and again: they can be held, and one of them has no share."""

import base64
import hashlib
import http.client
import threading
from typing import Any

from tests.chaos.agents import Agent, Refused, Reply, Told


class KeptAgent(Agent):
    """Can be held, and takes it that events go: what the server says is not there (any more) it reports no more."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.refused_as_gone: set[int] = set()
        self.idle = threading.Event()
        self._may_go_on = threading.Event()
        self._may_go_on.set()

    def hold(self) -> None:
        """Report what there is, then wait."""
        self._may_go_on.clear()

    def go_on(self) -> None:
        """Go on."""
        self.idle.clear()
        self._may_go_on.set()

    def _post_event(self) -> Told:
        if not self._may_go_on.is_set():
            while not self._tell_again():
                self._pause(0.05)
            self.idle.set()
            while not self._may_go_on.is_set():
                self._pause(0.05)
        return super()._post_event()

    def _files_of(self, event: Told) -> dict[str, tuple[str, bytes]]:
        files = super()._files_of(event)
        if event.id % 4 == 1:
            del files["thumbnail"]  # the server makes one
        return files

    def _report(self, event: Told, file_type: str) -> bool:
        refused = len(self.refused)
        if self._bring(event, file_type):
            return True
        if any(one.reply.status == 404 for one in self.refused[refused:]):
            self.refused_as_gone.add(event.id)
            event.reported.add(file_type)
            return True
        return False

    def _bring(self, event: Told, file_type: str) -> bool:
        return super()._report(event, file_type)


class UploadingAgent(KeptAgent):
    """Has no share: sends files over HTTP, in parts, and goes on after a broken connection where the server says."""

    def _put(self, event: Told, path: str, content: bytes) -> None:
        """Nowhere; see :meth:`_bring`."""

    def _bring(self, event: Told, file_type: str) -> bool:
        content = self._files_of(event)[file_type][1]
        where = f"/api/v1/events/{event.id}/files/{file_type}"
        told = self._once("GET", where, None)
        if told is None:
            return False
        start = int(told.body["received_bytes"])
        if start >= len(content):
            start = 0  # whole, but without its name: no part is left to be sent
        step = -(-len(content) // (4 if file_type == "video" else 1))
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        while start < len(content):
            end = min(len(content), start + step)
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"bytes {start}-{end - 1}/{len(content)}",
                "Content-Digest": f"sha-256=:{digest}:",
            }
            reply = self._send(where, content[start:end], headers)
            if reply is None:
                return False
            if reply.status == 201:
                event.reported.add(file_type)
                return True
            start = end
            self._pause(0.005)
        return False

    def _send(self, path: str, content: bytes, headers: dict[str, str]) -> Reply | None:
        try:
            reply = self._wire.send("PUT", path, content, headers=headers)
        except (OSError, http.client.HTTPException):
            return None
        if reply.status in {201, 202}:
            return reply
        self.refused.append(Refused("PUT", path, reply))
        return None
