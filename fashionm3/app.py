"""The page's server: `python -m fashionm3 app`. gradio carries events and streaming; what is shown is HTML made by us.

Pictures of persons go through `take_picture` and stay in memory: gradio's own uploads and file routes do not answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.responses import PlainTextResponse

from fashionm3.assistant import Assistant
from fashionm3.gate import UPLOAD, Gate, OwnNames
from fashionm3.page import Page
from fashionm3.plain import plain
from fashionm3.uploads import small_jpeg, take_picture
from fcn.errors import DataError

WEB = Path(__file__).with_name("web")
AT_ONCE = 4  # answers worked on at the same time
WAITING = 200  # events in gradio's queue; more are refused
CONNECTIONS = 2000  # open at once; a tab keeps one or two
REMEMBERED = 500  # tabs of which gradio keeps what they show
THUMB = 480


def blocks(page: Page) -> gr.Blocks:
    """The page's components and events. gr.HTML puts `value` in as it is, after its template was read; never give it
    data through a template's own fields, which it would run as code."""
    with gr.Blocks(title="dresswell", analytics_enabled=False, fill_width=True) as made:
        visit = gr.Textbox(visible="hidden", elem_id="visit", show_label=False)
        gr.HTML((WEB / "header.html").read_text(encoding="utf-8"), elem_id="header", apply_default_css=False)
        with gr.Row(elem_id="main"):
            with gr.Column(elem_id="left", scale=3, min_width=300):
                talk = gr.HTML(elem_id="talk", apply_default_css=False)
                live = gr.HTML(elem_id="live", apply_default_css=False)
                composer = (WEB / "composer.html").read_text(encoding="utf-8")
                gr.HTML(composer, elem_id="composer", apply_default_css=False)
            with gr.Column(elem_id="right", scale=1, min_width=280):
                panel = gr.HTML(elem_id="panel", apply_default_css=False)
        bridge = gr.HTML(elem_id="bridge", visible="hidden",
                         js_on_load="(window.dresswell ??= {}).send = (order) => trigger('order', order)")  # fmt: skip
        shown = [visit, talk, live, panel]
        group = {"concurrency_limit": AT_ONCE, "concurrency_id": "answers"}
        private = {"api_visibility": "private", "show_progress": "hidden"}
        made.load(page.begin, [visit], shown, js="() => [sessionStorage.getItem('dresswell') || '']", **private)
        # "once" would drop, without a word, what is clicked between an answer and the event's own end.
        bridge.order(page.order, [visit], shown, trigger_mode="multiple", **private, **group)
        gr.api(page.start, api_name="start")
        gr.api(page.talk, api_name="talk", **group)
        gr.api(page.look, api_name="look")
        gr.api(page.end, api_name="end")
    made.queue(max_size=WAITING, default_concurrency_limit=AT_ONCE, api_open=False)
    made.state_session_capacity = REMEMBERED
    return made


def application(page: Page, host: str = "127.0.0.1", port: int = 7860, hosts: Sequence[str] = ()) -> FastAPI:
    """The whole server: gradio's page behind the gate, and the routes for pictures. hosts: names it answers for beside
    `host`, "localhost" and addresses."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

    @contextlib.asynccontextmanager
    async def sweeping(_: FastAPI):
        async def sweep() -> None:
            while True:
                await asyncio.sleep(60)
                page.visits.sweep()
                forget(shown, page.visits.idle)

        task = asyncio.create_task(sweep())
        yield
        task.cancel()

    shown = blocks(page)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, lifespan=sweeping)

    @lru_cache(maxsize=2048)
    def thumbnail(item_id: str) -> bytes | None:
        picture = page.assistant.tools.picture(item_id)
        return None if picture is None else small_jpeg(picture, THUMB)

    @app.get("/picture/item")
    def item_picture(id: str) -> Response:
        known = page.assistant.tools.item(id) is not None
        return _image(thumbnail(id) if known else None, "private, max-age=3600")

    @app.get("/picture/made/{name}")
    def made_picture(name: str) -> Response:
        return _image(page.visits.picture(name), "private, no-store")

    @app.get("/talk.json")
    def download(request: Request) -> Response:
        try:
            with page.visits.get(request.headers.get("x-visit", "")).turn() as session:
                return Response(session.dumps(), media_type="application/json", headers={"cache-control": "no-store"})
        except DataError as error:
            return PlainTextResponse(plain(error), 422)

    @app.post(UPLOAD)
    async def upload(request: Request) -> Response:
        try:
            visit = page.visits.get(request.headers.get("x-visit", ""))
            taken = await asyncio.to_thread(take_picture, await request.body())
            visit.upload, visit.landmarks = taken, None
        except DataError as error:
            return PlainTextResponse(plain(error), 422)
        return _image(taken.jpeg, "private, no-store")

    server = gr.mount_gradio_app(
        app, shown, path="/", server_name=host, server_port=port, footer_links=[], run_history=False,
        show_error=False, max_file_size=1, allowed_paths=[], blocked_paths=["/"], enable_monitoring=False,
        ssr_mode=False, pwa=False, mcp_server=False, theme=_theme(), css_paths=WEB / "page.css",
        js=(WEB / "page.js").read_text(encoding="utf-8"),
    )  # fmt: skip
    server.add_middleware(Gate)
    server.add_middleware(OwnNames, names=(host, *hosts))
    return server


def serve(
    assistant: Assistant, host: str = "127.0.0.1", port: int = 7860, hosts: Sequence[str] = ()
) -> None:
    """Serve the page until stopped."""
    app = application(Page(assistant), host, port, hosts)
    shown = f"[{host}]" if ":" in host else host
    print(f"http://{shown}:{port}   <- open it in a browser", flush=True)
    # A forwarded address is believed from nobody: the limit of requests counts by the address that asks.
    uvicorn.run(app, host=host, port=port, log_level="warning", proxy_headers=False, server_header=False,
                limit_concurrency=CONNECTIONS)  # fmt: skip


def forget(shown: gr.Blocks, idle: float) -> None:
    """Drop what gradio keeps beside us: what was last shown in tabs nobody used for `idle` seconds, and the empty entry
    of its queue for every tab and every call of the API there ever was."""
    holder, queue = shown.state_holder, shown._queue
    limit = datetime.datetime.now() - datetime.timedelta(seconds=idle)
    with holder.lock:
        for tab in [tab for tab, last in holder.time_last_used.items() if last < limit]:
            holder.session_data.pop(tab, None)
            holder.time_last_used.pop(tab, None)
    for tab in [tab for tab, events in queue.pending_event_ids_session.items() if not events]:
        queue.pending_event_ids_session.pop(tab, None)


def _theme() -> gr.themes.Base:
    system = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif")
    return gr.themes.Base(font=list(system), font_mono=["ui-monospace", "monospace"])


def _image(jpeg: bytes | None, cache: str) -> Response:
    if jpeg is None:
        return PlainTextResponse("There is no such picture.", 404)
    return Response(jpeg, media_type="image/jpeg", headers={"cache-control": cache})
