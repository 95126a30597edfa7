"""How long nobody has spoken since an answer was played (Realtime ``idle_timeout_ms``). Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Idle:
    """Nobody has spoken since the last answer was played, for the timeout; times on the microphone's clock."""

    start_ms: int
    end_ms: int


class Idleness:
    """Watches one leg. It is told once after each answer."""

    def __init__(self) -> None:
        self._since: tuple[float, int] | None = None

    def played(self, now: float, mic_ms: int) -> None:
        """The last answer has been played, at *now* (seconds) and *mic_ms* of the microphone's clock."""
        self._since = (now, mic_ms)

    def ended(self) -> None:
        """Somebody speaks, or the agent does."""
        self._since = None

    def due(self, now: float, mic_ms: int, timeout_ms: int | None) -> Idle | None:
        """The silence that has lasted *timeout_ms*, once; None before that, and without a timeout."""
        if self._since is None or timeout_ms is None or (now - self._since[0]) * 1000 < timeout_ms:
            return None
        start_ms, self._since = self._since[1], None
        return Idle(start_ms, mic_ms)
