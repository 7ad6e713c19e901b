"""The server of a study: the page, its few requests, and the owner's results. Starlette and uvicorn, extra `human`."""

import json
import logging
import os
import socket
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from ganbench.errors import UsageError
from ganbench.human.answers import Refused, read_answer
from ganbench.human.guard import Rate, body_of
from ganbench.human.page import Page, words_of
from ganbench.human.report import page_of
from ganbench.human.score import score
from ganbench.human.session import Sessions
from ganbench.human.sheet import sheet

Endpoint = Callable[[Request], Awaitable[Response]]
Known = TypeVar("Known")
_LOG = logging.getLogger("uvicorn.error")  # on stderr
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
_NOTHING = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
_REPORT = f"{_NOTHING}; style-src 'unsafe-inline'; img-src data:"  # its styles stand in it; it has no script


class Server:
    """The endpoints over the sessions of one study."""

    def __init__(self, folder: Path) -> None:
        self._sessions = Sessions(folder)
        self._page = Page()
        self._raters = Rate(each_second=20, burst=200)  # a rater's page sends some four requests for a picture
        self._strangers = Rate(each_second=1, burst=60)  # wrong tokens, for each address

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/r/{token}", self._guarded(self._show), methods=["GET"]),
            Route("/join/{token}", self._guarded(self._show), methods=["GET"]),
            Route("/api/join", self._guarded(self._join), methods=["POST"]),
            Route("/api/words", self._guarded(self._words), methods=["GET"]),
            Route("/api/state", self._guarded(self._state), methods=["GET"]),
            Route("/api/consent", self._guarded(self._consent), methods=["POST"]),
            Route("/api/answer", self._guarded(self._answer), methods=["POST"]),
            Route("/api/picture/{address}", self._guarded(self._picture), methods=["GET"]),
            Route("/results/{token}", self._guarded(self._results), methods=["GET"]),
            Route("/results/{token}/{file}", self._guarded(self._results), methods=["GET"]),
        ]
        app = Starlette(routes=routes)
        app.router.redirect_slashes = False  # it would send on to whatever host the request names, in the clear
        return app

    def _guarded(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint whose refusals become answers, and all of whose answers bear our headers."""

        async def call(request: Request) -> Response:
            try:
                response = await endpoint(request)
            except Refused as refused:
                response = JSONResponse({"error": refused.message}, refused.status)
            except sqlite3.OperationalError as error:  # such as a disk that is full; the page asks again
                _LOG.error("The database of the study cannot be used: %s.", error)
                response = JSONResponse({"error": "The study cannot store anything now."}, 503)
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            response.headers.setdefault("Content-Security-Policy", _NOTHING)
            return response

        return call

    async def _show(self, _: Request) -> Response:
        """The page, the same for everyone: who may take part is asked by its first request."""
        return HTMLResponse(self._page.html, headers={"Content-Security-Policy": self._page.policy})

    async def _words(self, request: Request) -> Response:
        """What the page says before anyone takes part; the shared link may read it, too."""
        if request.headers.get("x-shared") == "1":
            await self._shared(request)
        else:
            await self._rater(request)
        return JSONResponse(words_of(self._sessions.study))

    async def _join(self, request: Request) -> Response:
        given = await _json(request)
        mine = given.get("token") if isinstance(given, dict) else None
        await run_in_threadpool(self._sessions.join, await self._shared(request), mine)
        return JSONResponse({}, 201)

    async def _state(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._sessions.state, await self._rater(request)))

    async def _consent(self, request: Request) -> Response:
        await _json(request)
        rater = await self._rater(request)
        await run_in_threadpool(self._sessions.consent, rater)
        return JSONResponse(await run_in_threadpool(self._sessions.state, rater))

    async def _answer(self, request: Request) -> Response:
        given = read_answer(await _json(request))
        rater = await self._rater(request)
        return JSONResponse(await run_in_threadpool(self._sessions.answer, rater, given))

    async def _picture(self, request: Request) -> Response:
        rater = await self._rater(request)
        path = await run_in_threadpool(self._sessions.picture, rater, request.path_params["address"])
        data = await run_in_threadpool(path.read_bytes)
        return Response(data, media_type="image/png")  # not the file: its time tells in which order they were written

    async def _results(self, request: Request) -> Response:
        """What only the owner sees: the report, and beside it score.json and answers.csv."""
        if not await run_in_threadpool(self._sessions.is_owner, request.path_params["token"]):
            self._strangers.take(_address(request))
            raise Refused(403, "The results are for the owner of the study, whose link was told when it was made.")
        file, folder = request.path_params.get("file"), self._sessions.folder
        if file is None:
            found = await run_in_threadpool(score, folder)
            text = await run_in_threadpool(page_of, found, folder)
            return HTMLResponse(text, headers={"Content-Security-Policy": _REPORT})
        if file == "score.json":
            return Response((await run_in_threadpool(score, folder)).to_json(), media_type="application/json")
        if file == "answers.csv":
            return Response(await run_in_threadpool(sheet, folder), media_type="text/csv")
        raise Refused(404, "There is score.json and answers.csv.")

    async def _rater(self, request: Request) -> int:
        rater = await self._known(request, self._sessions.rater)
        self._raters.take(str(rater))
        return rater

    async def _shared(self, request: Request) -> str:
        """The shared token that someone without a place sends."""
        await self._known(request, self._sessions.check_shared)
        self._raters.take(f"shared, {_address(request)}")
        return _bearer(request)

    async def _known(self, request: Request, check: Callable[[str], Known]) -> Known:
        """What a check says of the token sent. Those that it refuses are counted against their address alone."""
        try:
            return await run_in_threadpool(check, _bearer(request))
        except Refused:
            self._strangers.take(_address(request))
            raise


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def _address(request: Request) -> str:
    return request.client.host if request.client else "?"


async def _json(request: Request) -> Any:
    """The body as JSON. A form of another site cannot send its type unasked. Raises Refused (400, 413, 415)."""
    data = await body_of(request.headers, request.stream())
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "A request is application/json.")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Refused(400, "The request is no JSON.") from error


def listen(host: str, port: int) -> socket.socket:
    """A socket at that address; port 0 takes a free one. Raises UsageError where it cannot be had."""
    try:
        # asyncio sends small packets at once only on sockets that say that they are TCP; each answer would wait 40 ms.
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol or socket.IPPROTO_TCP)
        try:
            if os.name == "posix":  # elsewhere it would let two servers have one port
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(address)
            made.listen(256)
        except BaseException:
            made.close()
            raise
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"{host}:{port} cannot be listened at ({getattr(error, 'strerror', None) or error}). "
            "Give another --port, or --port 0 for a free one."
        ) from error
    return made


def serve(folder: Path, at: socket.socket) -> None:
    """Serves a study until it is stopped by Ctrl-C or SIGTERM."""
    config = uvicorn.Config(
        partial(Server(folder).app),
        factory=True,
        log_level="warning",
        access_log=False,  # addresses of raters, and tokens in paths, are not for logs
        server_header=False,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        timeout_keep_alive=30,
        limit_concurrency=512,
        h11_max_incomplete_event_size=16_384,
        timeout_graceful_shutdown=5,
    )
    uvicorn.Server(config).run(sockets=[at])
