"""What can go wrong with a replay itself, as opposed to what it finds out about a gateway."""

from gateway.errors import GatewayError


class ReplayError(GatewayError):
    """A replay could not begin or go on; the message is a sentence for whoever typed the command.

    Codes: ``step_unreadable`` (a STEP is not ``file.wav[@EVENT[+MS]]``), ``unknown_event``,
    ``file_missing``, ``not_wav`` (not 16 bit PCM in a WAV file), ``empty_sound``, ``bad_url``,
    ``gateway_unreachable``, ``gateway_refused``, ``gateway_did_not_start``, ``cannot_write``.
    """
