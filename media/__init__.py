"""The audio plane of Bargein: it has never heard of a session."""
