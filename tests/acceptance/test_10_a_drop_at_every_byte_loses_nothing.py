"""10. A connection that drops at any byte of a streamed answer resumes to the transcript that the store holds.

Here the cuts fall at some bytes; ``tests/client/test_cuts.py`` walks over all of them (``BARGEIN_CUT_STRIDE=1``).
"""

import asyncio
from pathlib import Path

from gateway.agents.callable import CallableAgent
from gateway.client import connect
from tests.client.proxy import proxy
from tests.client.test_cuts import answered, cut_after, tell
from tests.transports.server import serving


def test_the_transcript_is_whole_after_a_drop(tmp_path: Path) -> None:
    async def main() -> None:
        agent = CallableAgent(tell, "tell", None)
        async with asyncio.timeout(30), serving(tmp_path, agent=agent, max_connections=0) as gateway:
            async with proxy(gateway.port) as way, connect(f"http://127.0.0.1:{way.port}") as conversation:
                begin = way.passed[0]
                await conversation.send("Go on, 👍.")
                await answered(conversation)
                whole = way.passed[0] - begin
            for part in range(1, 10):
                await cut_after(gateway, begin + whole * part // 10)

    asyncio.run(main())
