"""Points of a streamed answer at which `streaming_bot` can kill its server."""

RECORDS = ("piece 1", "piece 2", "call", "return", "piece 3", "piece 4", "piece 5", "end")
CHUNKS = 6
POINTS = (
    "asked", "tool begun", "tool done",
    *(f"chunk {number}" for number in range(1, CHUNKS + 1)),
    *(f"{when} {record}" for record in RECORDS for when in ("before", "after")),
)  # fmt: skip
TOOL_UNRECORDED = ("tool begun", "tool done", "before return")
"""Points at which the tool may have run and its result is not recorded: it runs again."""
