"""A server of the Model Context Protocol's own SDK, with a few tools.

    python serve.py stream|json|stateless

It prints its port, and serves until its standard input ends.
"""

import os
import socket
import sys
import threading

import uvicorn
from mcp.server.mcpserver import MCPServer

server = MCPServer("town")
counted = 0


@server.tool(description="Tells the weather of a town.")
def weather(town: str) -> str:
    return f"It rains in {town}."


@server.tool(description="Counts how often it was called.")
def count() -> int:
    global counted
    counted += 1
    return counted


@server.tool(description="Fails.")
def fail() -> str:
    raise RuntimeError("no such luck")


def main(way: str) -> None:
    app = server.streamable_http_app(json_response=way == "json", stateless_http=way == "stateless")
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none")).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
