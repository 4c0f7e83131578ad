"""A log that is closed while other threads read it: they get an error, the process lives on."""

from __future__ import annotations

import threading
from pathlib import Path

import turnlog
from turnlog import UserUttered
from turnlog.errors import TurnlogError
from turnlog.storage.reader import Reader


def test_closing_under_readers_ends_their_reading_and_nothing_else(tmp_path: Path):
    for number in range(40):
        log = turnlog.open(f"sqlite:///{tmp_path / f'{number}.db'}?synchronous=OFF")
        log.record("a", *(UserUttered("x" * 500) for _ in range(10)))
        reading = threading.Barrier(3)
        ended: list[TurnlogError] = []

        def read(log=log, reading=reading, ended=ended) -> None:
            reader: Reader = log.store.reader
            reader.tail(0, 5)
            reading.wait()
            try:
                while True:
                    reader.tail(0, 500)
            except TurnlogError as error:
                ended.append(error)

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        reading.wait()
        log.close()
        for thread in threads:
            thread.join(10)
        assert len(ended) == 2
