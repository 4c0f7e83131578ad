"""Parquet: one example a row, its messages nested; the same messages as TRL's.

Needs the extra `turnlog[parquet]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.extras import needed
from turnlog.serializers.openai.text_chat import text_chat, tools_text
from turnlog.serializers.shared.codec import Codec, Example

ROWS_AT_ONCE = 1000
"""Rows that are written at once."""


class ParquetCodec(Codec):
    """Columns: conversation, messages (a list of structs), tools (JSON text)."""

    name = "parquet"
    suffix = ".parquet"
    writes = True
    libraries = ("pyarrow",)
    extra = "parquet"

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        chat = text_chat(dialogue)
        if chat.messages:
            content = {
                "conversation": dialogue.name,
                "messages": chat.messages,
                "tools": tools_text(chat),
            }
            yield Example.of(dialogue, content, chat.lost)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        arrow, parquet = _arrow()
        schema = _schema(arrow)
        with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
            contents = (example.content for example in examples)
            while rows := list(islice(contents, ROWS_AT_ONCE)):
                writer.write_table(arrow.Table.from_pylist(rows, schema))


def _arrow() -> tuple[Any, Any]:
    with needed("parquet", "the format 'parquet'"):
        import pyarrow
        import pyarrow.parquet
    return pyarrow, pyarrow.parquet


def _schema(arrow: Any) -> Any:
    text = arrow.string()
    function = arrow.struct([("name", text), ("arguments", text)])
    call = arrow.struct([("id", text), ("type", text), ("function", function)])
    message = arrow.struct(
        [
            ("role", text), ("content", text), ("name", text), ("tool_calls", arrow.list_(call)),
            ("tool_call_id", text), ("weight", arrow.float64()),
        ]
    )  # fmt: skip
    columns = [("conversation", text), ("messages", arrow.list_(message)), ("tools", text)]
    return arrow.schema(columns)
