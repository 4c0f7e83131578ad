"""Sends parcels: each once, in order, and kept until the server has it."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections import OrderedDict, deque
from typing import Deque, List, Optional

from turnlog_rasa.answers import Away, NotTaken, Refused
from turnlog_rasa.client import PROBE, Client, Effort
from turnlog_rasa.courier import Courier
from turnlog_rasa.parcels import Parcel
from turnlog_rasa.parking import Parking

logger = logging.getLogger(__name__)

STRIPES = 64
"""Locks shared by all conversations: one thread sends a conversation's parcels at a time."""

TRIED = 20
"""The number of conversations refused in a row after which an attempt ends."""


class Outbox:
    """Sends a conversation's parcels one after the other.

    What cannot be sent now is written to the file, and sent as soon as the server accepts anything.
    Only content that the server rejects as bad is given up.
    """

    def __init__(self, client: Client, parking: Optional[Parking] = None) -> None:
        self._client = client
        self._parking = parking
        self._queues: "OrderedDict[str, Deque[Parcel]]" = OrderedDict()
        self._locks = [threading.Lock() for _ in range(STRIPES)]
        self._mutex = threading.RLock()
        self._logged: Optional[str] = None
        self._stale = False
        self._courier = Courier(self._carry)
        client.took = self._took
        for parcel in parking.taken_over() if parking else ():
            self.put(parcel)
        if self._queues:
            logger.warning("%d turns wait since an earlier run", self._waiting())
            self._courier.wake()
        atexit.register(self.close)

    def put(self, parcel: Parcel) -> None:
        """Queues a parcel."""
        with self._mutex:
            self._queues.setdefault(parcel.sender, deque()).append(parcel)

    def drop(self, sender: str) -> None:
        """Drops what waits for a conversation, in the file, too."""
        with self._mutex:
            dropped = self._queues.pop(sender, ())
            if any(parcel.parked for parcel in dropped):
                self._tidy()

    def flush(self, sender: str, effort: Optional[Effort] = None) -> None:
        """Sends what waits for a conversation. Raises ConnectionError and keeps the rest.

        Raises OSError if it can be neither sent nor written to the file.
        """
        if sender not in self._queues:
            return
        effort = effort or self._client.usual
        try:
            self._send_all(sender, effort._replace(failed=lambda: self._try_to_park(sender)))
        except ConnectionError as error:
            self._tell(sender, error, aloud=not effort.probing)
            self._courier.wake()
            self._park(sender)
            raise
        finally:
            if self._stale:
                self._tidy()

    def _send_all(self, sender: str, effort: Effort) -> None:
        with self._locks[hash(sender) % STRIPES]:
            while (parcel := self._first(sender)) is not None:
                try:
                    parcel.send(self._client, effort)
                    self._replace(parcel, [])
                except Refused as error:
                    self._replace(parcel, self._parts(parcel, error))

    def _parts(self, parcel: Parcel, error: Refused) -> List[Parcel]:
        """What to try in place of a refused parcel."""
        parts = parcel.parts()
        if not parts:
            what = [event.get("event") for event in parcel.contents] or parcel.kind
            logger.error("conversation %r: %s is given up: %s", parcel.sender, what, error)
        return parts

    def _first(self, sender: str) -> Optional[Parcel]:
        with self._mutex:
            queue = self._queues.get(sender)
            return queue[0] if queue else None

    def _replace(self, parcel: Parcel, parts: List[Parcel]) -> None:
        with self._mutex:
            queue = self._queues.get(parcel.sender)
            if queue is None or queue[0] is not parcel:
                return  # dropped meanwhile
            self._stale = self._stale or parcel.parked
            queue.popleft()
            queue.extendleft(reversed(parts))
            if not queue:
                del self._queues[parcel.sender]

    # --- the file -------------------------------------------------------------------------------

    def _try_to_park(self, sender: str) -> None:
        """Writes to the file what it can, while the server is retried."""
        try:
            self._park(sender)
        except OSError as error:
            logger.error("what waits for %s cannot be written: %s", self._client.url, error)

    def _park(self, sender: str) -> None:
        with self._mutex:
            parcels = [p for p in self._queues.get(sender, ()) if not p.parked]
            if self._parking is None or not parcels:
                return
            self._parking.add(parcels)
            for parcel in parcels:
                parcel.parked = True

    def _tidy(self) -> None:
        """Leaves in the file only what still waits."""
        with self._mutex:
            self._stale = False
            if self._parking is not None:
                queues = self._queues.values()
                self._parking.keep(p for queue in queues for p in queue if p.parked)

    # --- as soon as it can be sent ----------------------------------------------------------------

    def _took(self) -> None:
        """Called after a successful request: what had to wait can be sent."""
        if self._logged is not None and self._queues:
            self._courier.wake()

    def _carry(self) -> bool:
        """Tries everything that waits; true if nothing does and the server is reachable."""
        untaken = 0
        for sender in self._senders():
            try:
                self.flush(sender, PROBE)
            except Away:
                return False
            except NotTaken:
                untaken += 1
                self._put_last(sender)
            except OSError as error:
                logger.error("what waits for %s cannot be written: %s", self._client.url, error)
            if untaken == TRIED:
                break
        return not self._queues and self._is_here()

    def _senders(self) -> List[str]:
        with self._mutex:
            return list(self._queues)

    def _put_last(self, sender: str) -> None:
        with self._mutex:
            if sender in self._queues:
                self._queues.move_to_end(sender)

    def _is_here(self) -> bool:
        try:
            if self._client.away:
                self._client.probe()
        except (ConnectionError, ValueError):
            return False
        if self._logged is not None:
            self._logged = None
            logger.warning("%s takes turns again; none waits any more", self._client.url)
        return True

    def _waiting(self) -> int:
        with self._mutex:
            return sum(map(len, self._queues.values()))

    def _tell(self, sender: str, error: ConnectionError, aloud: bool) -> None:
        """Logs why turns wait: the first time, and whenever the reason changes."""
        place = self._parking.path if self._parking else "memory"
        if aloud or str(error) != self._logged:
            waiting = self._waiting()
            logger.error("%d turns wait in %s, one of %r: %s", waiting, place, sender, error)
        self._logged = str(error)

    def drain(self, timeout: float) -> None:
        """Sends what waits, with `timeout` seconds for what is not in the file."""
        end = time.monotonic() + timeout
        while not self._carry() and time.monotonic() < end and not self._all_parked():
            time.sleep(0.2)

    def close(self, timeout: float = 5.0) -> None:
        """Sends what waits. What cannot be sent stays in the file for the next process."""
        atexit.unregister(self.close)
        self._courier.stop()
        self.drain(timeout)
        if self._parking is not None:
            self._parking.close()

    def _all_parked(self) -> bool:
        with self._mutex:
            return all(p.parked for queue in self._queues.values() for p in queue)
