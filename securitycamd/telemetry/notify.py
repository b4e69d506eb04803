"""Words to systemd, see sd_notify(3)."""

import os
import socket


def notify(state: str) -> bool:
    """Send ``READY=1``, ``STOPPING=1``, ``WATCHDOG=1`` or ``STATUS=...``; whether somebody listens.

    Never blocks: the socket of systemd takes a datagram, or it is lost.
    """
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    # A leading @ stands for the NUL of the abstract name space.
    name = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
        try:
            sender.sendto(state.encode(), name)
        except OSError:
            return False
    return True
