"""Speech by API: OpenAI's audio endpoints at any base URL, and what other servers add to them.

Nothing is retried: by then the conversation has moved on. Messages of errors name the server and the status, never
what was said, nor the key, nor the server's own words, which may quote either.
"""
