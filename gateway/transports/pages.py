"""The page where one can talk, and its modules."""

from pathlib import Path
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

WEB: Final = Path(__file__).parent.parent / "web"


class Files(StaticFiles):
    """The page's modules. Always asked for anew: old ones beside a new page would not fit."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def page(request: Request) -> Response:
    """The page where one can talk."""
    return FileResponse(WEB / "index.html", headers={"Cache-Control": "no-cache"})
