"""Where the websockets library may log for agents: not what it says at its lowest level, which is keys and words.

``bargein serve`` lets no library log that much; an app that mounts the gateway may let all of them.
"""

import logging
from typing import Final

LIBRARY_LOG: Final = logging.getLogger(f"{__name__}.websockets")
LIBRARY_LOG.setLevel(logging.INFO)
