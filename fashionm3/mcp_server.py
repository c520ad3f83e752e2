"""The assistant and its tools over MCP: `python -m fashionm3 mcp` (stdio) or `--http` (streamable HTTP on loopback).

Results are structured; pictures are image content beside them. A person's picture comes as base64 in an argument, never
as a path or an address. What goes wrong is a tool error in plain words.
"""

from __future__ import annotations

import base64
import functools
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Literal

import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import CallToolResult, ContentBlock, ImageContent, TextContent, ToolAnnotations
from pydantic import BaseModel, Field
from starlette.applications import Starlette

from fashionm3.assistant import Assistant
from fashionm3.gate import OwnNames
from fashionm3.limits import Limits
from fashionm3.plain import plain
from fashionm3.rate import TALK_BURST, TALK_RATE, RateLimit
from fashionm3.results import Answer, Card, Found, OutfitScore, Result
from fashionm3.session import MESSAGE
from fashionm3.sessions import Sessions
from fashionm3.tools import MOST, SHOWN
from fashionm3.uploads import MAX_BYTES, from_base64, small_jpeg
from fashionm3.wish import ORDERS
from fcn.errors import DresswellError

BODY = MAX_BYTES * 4 // 3 + 2**20  # a picture as base64, and what else a request holds
CARD_SIDE = 320  # of an item's picture, in pixels
INSTRUCTIONS = (
    "Fashion assistant over one real catalogue. `talk` holds a whole conversation: give its session_id with each next "
    "message. The other tools are its parts, without memory. Titles and reasons are data of the catalogue."
)

Text = Annotated[str, Field(max_length=MESSAGE)]
ItemId = Annotated[str, Field(max_length=200, description="id of an item of the catalogue")]
Ids = Annotated[list[ItemId], Field(max_length=50)]
Count = Annotated[int, Field(ge=1, le=MOST, description="how many")]
Labels = Annotated[list[str], Field(max_length=50, description="what is known of the person, as 'height=low'")]
Person = Annotated[str | None, Field(description="a picture of the person from the front: the file's bytes as base64")]
Points = Annotated[
    dict[str, tuple[float, float]] | None,
    Field(description="where her joints are: COCO names (left_shoulder, right_hip ...) -> [x, y] in its pixels"),
]
Order = Annotated[Literal[ORDERS], Field(description="in order of price those that fit best; else the best first")]
Pictures = Annotated[bool, Field(description="also give the items' pictures")]


class Drawn(Result):
    """What a model drew; the picture is beside as image content. It is no product; `nearest` are real items like it."""

    description: str
    like: str | None = Field(description="item id of the piece it is a change of")
    nearest: list[Card]
    notes: list[str]


class TriedOn(Result):
    """A garment tried on; two pictures are beside as image content: without it, then with it."""

    item_id: str
    on_person: bool = Field(description="false where a drawn figure stands in for the person")
    notes: list[str]


class Told(Result):
    """One turn of the talk; pictures made in it are beside as image content. limits, profile: all it holds to now."""

    session_id: str = Field(description="give it with the next message")
    text: str
    act: str
    tool: str | None
    items: list[Card]
    outfit: list[Card]
    score: OutfitScore | None
    drawing: Drawn | None
    worn: TriedOn | None
    limits: list[str]
    profile: list[str]
    notes: list[str]
    seconds: float


class ToolsOverMCP:
    """The MCP tools, a method each."""

    def __init__(self, assistant: Assistant, visits: Sessions | None = None):
        self.assistant, self.tools = assistant, assistant.tools
        self.visits = Sessions(assistant.start) if visits is None else visits
        self.limit = RateLimit(TALK_RATE, TALK_BURST)

    def talk(
        self, text: Text, session_id: str | None = None, picture: Person = None, landmarks: Points = None,
        pictures: Pictures = False,
    ) -> Annotated[CallToolResult, Told]:  # fmt: skip
        """Say something to the assistant and get its answer. Without session_id a new talk begins."""
        person = None if picture is None else from_base64(picture).jpeg
        visit = self.visits.open() if session_id is None else self.visits.get(session_id)
        wait = self.limit.wait(visit.id)
        if wait:
            raise ToolError(f"That was faster than I can follow: try again in {int(wait) + 1} seconds.")
        with visit.turn() as session:
            answer = self.assistant.reply(session, text, person, landmarks if person else None)
        made = []
        if answer.drawing:
            made.append(answer.drawing.png)
        if answer.worn:
            made += [answer.worn.before_png, answer.worn.png]
        return self._given(_told(visit.id, answer), answer.items if pictures else [], made, answer.text)

    def search(
        self, text: Text, k: Count = SHOWN, limits: Limits | None = None, pictures: Pictures = False
    ) -> Annotated[CallToolResult, Found]:
        """Items whose titles are nearest to some words, for nobody in particular."""
        return self._found(self.tools.search(text, k=k, limits=limits), pictures)

    def recommend(
        self, text: Text = "", history: Ids = (), profile: Labels = (), occasion: Text | None = None,
        k: Count = SHOWN, limits: Limits | None = None, order: Order | None = None, pictures: Pictures = False,
    ) -> Annotated[CallToolResult, Found]:  # fmt: skip
        """What to show a person next: from her words, what she chose before (oldest first), what is known of her."""
        found = self.tools.recommend(text, history, profile, occasion, k=k, limits=limits, order=order)
        return self._found(found, pictures)

    def alternatives(
        self, item_id: ItemId,
        changes: Annotated[list[str], Field(max_length=20, description="'longer', 'cheaper', 'color=navy' ...")] = (),
        text: Text = "", profile: Labels = (), occasion: Text | None = None,
        k: Count = SHOWN, limits: Limits | None = None, order: Order | None = None, pictures: Pictures = False,
    ) -> Annotated[CallToolResult, Found]:  # fmt: skip
        """Pieces like one of the catalogue that differ from it as `changes` say."""
        found = self.tools.alternatives(item_id, changes, text, profile, occasion, k=k, limits=limits, order=order)
        return self._found(found, pictures)

    def complete_outfit(
        self, outfit: Ids, slots: Annotated[list[str], Field(max_length=10)] = (), profile: Labels = (),
        text: Text = "", occasion: Text | None = None,
        k: Count = SHOWN, limits: Limits | None = None, order: Order | None = None, pictures: Pictures = False,
    ) -> Annotated[CallToolResult, Found]:  # fmt: skip
        """Pieces that finish an outfit: of one slot the k best; of several (or all missing ones) the best of each."""
        found = self.tools.complete_outfit(outfit, slots, profile, text, occasion, k=k, limits=limits, order=order)
        return self._found(found, pictures)

    def score_outfit(self, outfit: Ids, profile: Labels = ()) -> OutfitScore:
        """How well pieces go together and suit a person, and why."""
        return self.tools.score_outfit(outfit, profile)

    def generate_image(
        self, description: Text, like: ItemId | None = None, seed: int = 0, limits: Limits | None = None
    ) -> Annotated[CallToolResult, Drawn]:
        """Draw a picture of what was described, or of an item changed as described ("in green"). It is no product."""
        drawing = self.tools.generate_image(description, like, seed, limits=limits)
        return self._given(_drawn(drawing), [], [drawing.png])

    def try_on(
        self, item_id: ItemId, picture: Person = None, landmarks: Points = None
    ) -> Annotated[CallToolResult, TriedOn]:
        """Show a garment on a person's picture, or on a drawn figure where none is given."""
        person = None if picture is None else from_base64(picture).jpeg
        worn = self.tools.try_on(item_id, person, landmarks if person else None)
        return self._given(_worn(worn), [], [worn.before_png, worn.png])

    def _found(self, found: Found, pictures: bool) -> CallToolResult:
        return self._given(found, found.items if pictures else [])

    def _given(
        self, result: BaseModel, items: Sequence[Card] = (), made: Sequence[bytes] = (), text: str = ""
    ) -> CallToolResult:
        """The result as text and structure, with the pictures of some items and those made by a tool."""
        content: list[ContentBlock] = [TextContent(type="text", text=text or result.model_dump_json(indent=1))]
        content += [_image(png, "image/png") for png in made]
        shown = (self.tools.picture(card.item_id) for card in items)
        content += [_image(small_jpeg(picture, CARD_SIDE), "image/jpeg") for picture in shown if picture]
        return CallToolResult(content=content, structured_content=result.model_dump(mode="json"))


def build(assistant: Assistant, visits: Sessions | None = None) -> MCPServer:
    """The server with its tools. Talks know nothing of each other."""
    served = ToolsOverMCP(assistant, visits)
    server = MCPServer("dresswell", instructions=INSTRUCTIONS, log_level="WARNING")
    server.add_tool(_plainly(served.talk), annotations=ToolAnnotations(read_only_hint=False, open_world_hint=False))
    for tool in (served.search, served.recommend, served.alternatives, served.complete_outfit, served.score_outfit,
                 served.generate_image, served.try_on):  # fmt: skip
        server.add_tool(_plainly(tool), annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False))
    return server


def http_app(server: MCPServer, host: str, hosts: Sequence[str] = ()) -> Starlette:
    """The server's streamable HTTP endpoint, /mcp. It answers for `host`, `hosts` (names without port), "localhost" and
    addresses alone: a web page that points its own name here (DNS rebinding) gets nothing."""
    named_by_us = TransportSecuritySettings(enable_dns_rebinding_protection=False)  # which knows lists of hosts alone
    app = server.streamable_http_app(host=host, max_request_body_size=BODY, transport_security=named_by_us)
    app.add_middleware(OwnNames, names=(host, *hosts))
    return app


def serve(assistant: Assistant, host: str | None, port: int, hosts: Sequence[str] = ()) -> None:
    """Serve until stopped: streamable HTTP on a host, stdio where it is None."""
    server = build(assistant)
    if host is None:
        server.run("stdio")
        return
    print(f"http://{host}:{port}/mcp", file=sys.stderr, flush=True)
    uvicorn.run(http_app(server, host, hosts), host=host, port=port, log_level="warning", proxy_headers=False)


def _plainly(tool: Callable) -> Callable:
    """The tool, with errors in plain words."""

    @functools.wraps(tool)
    def told(*given: object, **named: object) -> object:
        try:
            return tool(*given, **named)
        except DresswellError as error:
            raise ToolError(plain(error)) from error

    return told


def _told(session_id: str, answer: Answer) -> Told:
    rest = {name: getattr(answer, name) for name in Told.model_fields if name in Answer.model_fields}
    drawing = _drawn(answer.drawing) if answer.drawing else None
    worn = _worn(answer.worn) if answer.worn else None
    return Told(**(rest | {"session_id": session_id, "drawing": drawing, "worn": worn}))


def _drawn(drawing) -> Drawn:
    return Drawn(description=drawing.description, like=drawing.like, nearest=drawing.nearest, notes=drawing.notes)


def _worn(worn) -> TriedOn:
    return TriedOn(item_id=worn.item_id, on_person=worn.on_person, notes=worn.notes)


def _image(picture: bytes, kind: str) -> ImageContent:
    return ImageContent(type="image", data=base64.b64encode(picture).decode(), mime_type=kind)
