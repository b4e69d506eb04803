import socket
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from securitycamd.telemetry.notify import notify


def listener(name: str) -> socket.socket:
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(name)
    receiver.settimeout(10)
    return receiver


def test_words_reach_systemd(monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory(prefix="scd-") as folder, listener(f"{folder}/notify") as receiver:
        monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/notify")
        assert notify("READY=1")
        assert notify("STATUS=grün")
        assert receiver.recv(100) == b"READY=1"
        assert receiver.recv(100) == "STATUS=grün".encode()


def test_words_reach_an_abstract_socket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = f"securitycamd-test-{tmp_path.name}-{id(tmp_path)}"
    with listener(f"\0{name}") as receiver:
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        assert notify("WATCHDOG=1")
        assert receiver.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", [None, "", "/nowhere/at/all", "x" * 300])
def test_without_systemd_nobody_listens_and_nothing_breaks(
    monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify("READY=1")


def test_a_listener_that_does_not_read_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory(prefix="scd-") as folder, listener(f"{folder}/notify"):
        monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/notify")
        results = [notify("WATCHDOG=1") for _ in range(5000)]
    assert results[0]
    assert not results[-1]  # its buffer is full; the word is lost
