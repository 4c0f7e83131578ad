"""Parquet: one example a row; the same messages and tools as TRL's.

Needs the extra `turnlog[parquet]`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, islice
from typing import Any, BinaryIO

from turnlog.domain.dialogue import Dialogue
from turnlog.extras import needed
from turnlog.serializers.openai.text_chat import text_chat
from turnlog.serializers.shared.codec import Codec, Example
from turnlog.serializers.shared.plain import dumps

ROWS_AT_ONCE = 1000
"""Rows in one write."""


class ParquetCodec(Codec):
    """Columns: conversation (text), messages and tools (lists of JSON).

    Each message and tool is a value of Arrow's JSON type: `datasets` reads the objects, and readers
    neither merge their members nor fill them with nulls. Option `trim`: end with the assistant's
    last message.
    """

    name = "parquet"
    suffix = ".parquet"
    writes = True
    libraries = ("pyarrow",)
    extra = "parquet"
    settings = frozenset(("trim",))

    def examples(self, dialogue: Dialogue) -> Iterator[Example]:
        """One example: the whole dialogue."""
        chat = text_chat(dialogue, trim=self.options.get("trim", False))
        if chat.messages:
            content = {
                "conversation": dialogue.name,
                "messages": chat.messages,
                "tools": chat.beside.get("tools"),
            }
            yield Example.of(dialogue, content, chat.lost, chat.noted)

    def write(self, examples: Iterable[Example], out: BinaryIO) -> None:
        """One row an example, compressed with zstd."""
        arrow, parquet = _arrow()
        schema = _schema(arrow)
        with parquet.ParquetWriter(out, schema, compression="zstd") as writer:
            contents = (example.content for example in examples)
            while rows := list(islice(contents, ROWS_AT_ONCE)):
                columns = [
                    arrow.array([row["conversation"] for row in rows]),
                    _json_lists(arrow, [row["messages"] for row in rows]),
                    _json_lists(arrow, [row["tools"] for row in rows]),
                ]
                writer.write_table(arrow.Table.from_arrays(columns, schema=schema))


def _arrow() -> tuple[Any, Any]:
    with needed("parquet", "the format 'parquet'"):
        import pyarrow
        import pyarrow.parquet
    return pyarrow, pyarrow.parquet


def _schema(arrow: Any) -> Any:
    values = arrow.list_(arrow.json_())
    return arrow.schema([("conversation", arrow.string()), ("messages", values), ("tools", values)])


def _json_lists(arrow: Any, rows: Sequence[list[Any] | None]) -> Any:
    """A column of lists of JSON values; None for no list."""
    texts = arrow.array([dumps(item).decode() for row in rows for item in row or ()], "string")
    values = arrow.ExtensionArray.from_storage(arrow.json_(), texts)
    ends = accumulate((len(row or ()) for row in rows), initial=0)
    missing = arrow.array([row is None for row in rows])
    offsets = arrow.array(list(ends), arrow.int32())
    return arrow.ListArray.from_arrays(offsets, values, mask=missing)
