"""Clients not written here, unmodified, under a real Node.js."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.parts.node import Node
    from tests.parts.server import Server

TRANSPORTS = ("websocket", "polling", "polling,websocket")
TALK = """
import { createRequire } from "node:module";
const [url, name, ...ways] = process.argv.slice(1);
const client = createRequire(process.cwd() + "/x.js")(name);
const talk = (transports) => new Promise((done) => {
  const heard = [], options = { transports, reconnection: false, forceNew: true };
  const socket = (client.io ?? client)(url, options);
  for (const event of ["error", "connect_error", "session_confirm", "bot_uttered"])
    socket.on(event, (data) => {
      heard.push([event, data?.message ?? data]);
      if (event === "session_confirm") {
        socket.emit("user_uttered", { message: "a table for two", session_id: data });
      } else setTimeout(() => done(heard), 50);
    });
  socket.on("connect", () => socket.emit("session_request", { session_id: null }));
});
const all = await Promise.all(ways.map((way) => talk(way.split(","))));
console.log(JSON.stringify(all));
process.exit(0);
"""


def talk(node: Node, url: str, name: str) -> list[list[list[Any]]]:
    """Events received by clients of that package, one for each transport, that send one message."""
    heard: list[list[list[Any]]] = json.loads(node.run(TALK, url, name, *TRANSPORTS))
    return heard


@pytest.mark.parametrize(
    "name", ["socket.io-client-3", "socket.io-client-4.1", "socket.io-client-4"]
)
def test_a_client_of_the_current_protocol_talks(node: Node, server: Server, name: str) -> None:
    heard = talk(node, server.url, name)
    assert len(heard) == len(TRANSPORTS)
    for (confirm, id), (uttered, message) in heard:
        assert (confirm, uttered) == ("session_confirm", "bot_uttered")
        assert len(id) >= 32
        assert message["text"] == "For which day?"


def test_an_old_client_receives_an_error_that_names_the_protocol(
    node: Node, server: Server
) -> None:
    heard = talk(node, server.url, "socket.io-client-2")
    assert len(heard) == len(TRANSPORTS)
    for [(event, message)] in heard:
        assert event == "error"
        assert "Socket.IO protocol 5" in message
        assert "socket.io-client 3 or 4" in message


TUTORIAL = """
import { createRequire } from "node:module";
const [url] = process.argv.slice(1);
const { io } = createRequire(process.cwd() + "/x.js")("socket.io-client-4.1");
const heard = [];
function tab(id, says) { // as the tutorial's page does it, its storage holding `id`
  const socket = io(url, { forceNew: true });
  socket.on("connect", () => {
    id ??= socket.id;
    socket.emit("session_request", { session_id: id });
    if (says) socket.emit("user_uttered", { message: says, session_id: id });
    else setTimeout(() => tab(id, "a table for two"), 300);
  });
  socket.on("bot_uttered", ({ text }) => heard.push(text));
}
tab(undefined, null);
setTimeout(() => { console.log(JSON.stringify(heard)); process.exit(0); }, 2500);
"""


def test_the_tutorials_second_tab_shares_the_first_ones_session(
    node: Node, naming_server: Server
) -> None:
    heard = json.loads(node.run(TUTORIAL, naming_server.url))
    assert heard == ["For which day?"] * 2
