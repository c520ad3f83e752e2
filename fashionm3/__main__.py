"""Talk to the assistant: on a web page, from another program over MCP, or here in the terminal.

    python -m fashionm3 app  --recommender runs/demo/seqllm --data runs/demo/data [--vlm runs/demo-vlm] [--port 7860]
    python -m fashionm3 mcp  --recommender runs/demo/seqllm --data runs/demo/data [--http --port 8000]
    python -m fashionm3 talk --recommender runs/demo/seqllm --data runs/demo/data [--save talk.json]

app and mcp --http listen on the loopback alone unless --host says otherwise. They answer who calls them by an address,
by "localhost", or by a name given with --host or --allow-host. Who says which tool is to answer: the built-in rules;
with --vlm-reads the --vlm model; with --endpoint the model of an OpenAI-compatible address, whose key is taken from
OPENAI_API_KEY. In a terminal talk, "/picture FILE" adds a picture of you. Errors: one line to stderr, exit code 2.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import warnings
from pathlib import Path

from fcn.errors import DataError, DresswellError, Problem
from fcn.types import one_line

ENDPOINT_SECONDS = 8.0  # then the built-in rules read the message


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="python -m fashionm3", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = root.add_subparsers(dest="command", required=True)
    for name, said in (("app", "the page"), ("mcp", "the MCP server"), ("talk", "a talk in the terminal")):
        command = commands.add_parser(name, help=said)
        command.add_argument("--recommender", type=Path, required=True, help="folder written by train_llm.py")
        command.add_argument("--data", type=Path, help="data set folder with the catalogue's pictures")
        command.add_argument("--vlm", type=Path, help="folder written by train_vlm.py; without it nothing is drawn")
        command.add_argument("--pose-model", help="ViTPose id or folder that finds the body in a picture")
        readers = command.add_mutually_exclusive_group()
        readers.add_argument("--vlm-reads", action="store_true", help="the --vlm model says which tool is to answer")
        readers.add_argument("--endpoint", metavar="URL", help="OpenAI-compatible address that reads the messages")
        command.add_argument("--endpoint-model", metavar="NAME", help="the model to ask there")
        if name == "talk":
            command.add_argument("--save", type=Path, metavar="FILE", help="go on with a talk, and keep it there")
            command.add_argument("--out", type=Path, default=Path("."), help="folder for pictures made in the talk")
            continue
        if name == "mcp":
            command.add_argument("--http", action="store_true", help="streamable HTTP instead of stdio")
        command.add_argument("--host", default="127.0.0.1", help="default %(default)s")
        command.add_argument("--port", type=int, default=7860 if name == "app" else 8000, help="default %(default)s")
        command.add_argument("--allow-host", action="append", default=[], metavar="NAME",
                             help="another name this server is called by, as shop.example")  # fmt: skip
    return root


def main(arguments: list[str] | None = None) -> int:
    warnings.filterwarnings("ignore", category=FutureWarning)
    given = parser().parse_args(arguments)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is the protocol's, of MCP over stdio
            assistant = load(given)
        if given.command == "talk":
            from fashionm3.terminal import converse

            converse(assistant, given.save, given.out)
        elif given.command == "app":
            from fashionm3.app import serve

            serve(assistant, given.host, given.port, given.allow_host)
        else:
            from fashionm3.mcp_server import serve

            serve(assistant, given.host if given.http else None, given.port, given.allow_host)
    except (DresswellError, OSError) as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def load(given: argparse.Namespace):
    """The assistant that the options name. Raises DresswellError."""
    from fashionm3.assistant import Assistant
    from fashionm3.tools import Tools
    from seqllm import Recommender

    if given.endpoint is not None and given.endpoint_model is None:
        raise DataError(Problem(None, None, "--endpoint-model", None, "missing", "name the endpoint's model"))
    if given.vlm_reads and given.vlm is None:
        raise DataError(Problem(None, None, "--vlm", None, "missing", "name the model that --vlm-reads is about"))
    artist = None
    recommender = Recommender.from_pretrained(given.recommender)
    if given.vlm is not None:
        from fashionm3.vlm import FashionVLM

        artist = FashionVLM.from_pretrained(given.vlm)
    assistant = Assistant(Tools(recommender, given.data, artist, given.pose_model))
    if given.vlm_reads:
        from fashionm3.model_reader import ModelReader

        assistant.reader = ModelReader(artist, assistant.reader)
    if given.endpoint is not None:
        from fashionm3.endpoint_reader import EndpointReader
        from fashionm3.rewriting import ChatEndpoint

        key = os.environ.get("OPENAI_API_KEY")
        ask = ChatEndpoint(given.endpoint, given.endpoint_model, key, temperature=0, timeout=ENDPOINT_SECONDS)
        assistant.reader = EndpointReader(ask, assistant.reader, recommender.catalog, recommender.vocabulary,
                                          assistant.occasions)  # fmt: skip
    return assistant


if __name__ == "__main__":
    sys.exit(main())
