"""What a page did behind the user's back."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Watch:
    """What a page did that it should not have done, and what it sent to the kernel."""

    errors: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    sent: list[str | bytes] = field(default_factory=list)
    received: list[str | bytes] = field(default_factory=list)

    def attach(self, page: object, home: str) -> None:
        """Follow ``page``; addresses under ``home`` are the machine's own."""
        own = (home, "data:", "blob:", "about:")
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(own) else self.outside.append(r.url))
        page.on("websocket", self._follow_socket)

    def clear(self) -> None:
        """Forget the traffic so far."""
        self.sent.clear()
        self.received.clear()

    def _follow_socket(self, socket: object) -> None:
        """Count the frames to and from the kernel."""
        if "/channels" in socket.url:
            socket.on("framesent", lambda frame: self.sent.append(frame))
            socket.on("framereceived", lambda frame: self.received.append(frame))
