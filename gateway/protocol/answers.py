"""The end of an answer as the wire shows it: its status, why, and what it cost."""

from gateway.core import events as ev
from gateway.core.values import Failure, Usage
from gateway.protocol import realtime as rt


def ended(response: rt.Response, event: ev.ResponseEnded | ev.AsideEnded) -> rt.Response:
    """*response* with how it ended."""
    response.usage = usage(event.usage or Usage())
    if event.status == "cancelled":
        by_voice = event.reason == "turn_detected"
        response.status_details = rt.StatusDetails(
            "cancelled", reason="turn_detected" if by_voice else "client_cancelled"
        )
    elif event.failure is not None:
        response.status_details = rt.StatusDetails("failed", error=fault(event.failure))
    elif event.shortfall is not None:
        response.status_details = rt.StatusDetails("incomplete", reason=event.shortfall)
    return response


def usage(spent: Usage) -> rt.Usage:
    """Tokens, with every key that strict clients want."""
    audio, image = spent.input_audio_tokens, spent.input_image_tokens
    return rt.Usage(
        spent.input_tokens + spent.output_tokens,
        spent.input_tokens,
        spent.output_tokens,
        rt.InputTokens(max(0, spent.input_tokens - audio - image), audio, image, spent.cached_tokens),
        rt.OutputTokens(max(0, spent.output_tokens - spent.output_audio_tokens), spent.output_audio_tokens),
    )


def fault(failure: Failure) -> rt.ErrorDetail:
    """What no client is to blame for."""
    return rt.ErrorDetail("server_error", failure.code, failure.message)
