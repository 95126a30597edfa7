"""What to say of a model that ended its answer and had said nothing."""

from gateway.core.values import Shortfall
from gateway.errors import AgentError


def silent(shortfall: Shortfall | None) -> AgentError:
    """The failure that it is, by the reason that its server gave, if any."""
    match shortfall:
        case "max_output_tokens":
            return AgentError("model_failed", "The model used up its tokens before the first word: raise max tokens.")
        case "content_filter":
            return AgentError("model_refused", "The model server's content filter withheld the answer.")
        case None:
            return AgentError("model_failed", "The model ended its answer without a word.")
