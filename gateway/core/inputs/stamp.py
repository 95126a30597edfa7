"""Where, when and by whom something was told."""

from dataclasses import dataclass

from gateway.core.ids import DeviceId, LegId, UserId


@dataclass(frozen=True, slots=True)
class Stamp:
    """Where and when an input comes from, and the seed of the ids that may follow from it."""

    mono: float
    """Seconds on the monotonic clock: for reflexes and the deadlines of this process."""

    wall: float
    """Seconds since the epoch: for what outlives the process."""

    seed: str
    """Unique for this input; ids are derived from it."""

    device: DeviceId = DeviceId("")
    leg: LegId = LegId("")
    """The connection it came by, ``""`` when it comes from the gateway itself."""

    command: str = ""
    """The client's ``event_id``, to correlate the answer; ``""`` when it gave none."""

    key: str = ""
    """The client's idempotency key, ``""`` when it gave none."""

    digest: str = ""
    """Digest of the command's body: the same key with another body is refused."""

    user: UserId = UserId("")
    """Who it is, ``""`` where nobody said so."""

    @property
    def who(self) -> str:
        """To whom others ascribe what is done: the user, or the device of one who is not known."""
        return self.user or self.device
