"""The asyncio shell around the pure core: one actor owns a session and drains what it decides."""
