"""Metrics for Prometheus; labels never contain ids or texts."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """One registry for each server, so that one process can run several."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.sockets = Gauge("turnlog_sockets", "Connected sockets", registry=registry)
        self.messages = Counter(
            "turnlog_messages", "User messages recorded", ["channel"], registry=registry
        )
        self.refused = Counter(
            "turnlog_refused", "Requests and events refused", ["reason"], registry=registry
        )
        self.bot_failures = Counter(
            "turnlog_bot_failures", "Messages the bot did not answer", ["kind"], registry=registry
        )
        self.recording = Histogram(
            "turnlog_recording_seconds", "Seconds until a message is durable", registry=registry
        )
        self.answering = Histogram(
            "turnlog_answering_seconds", "Seconds until a bot has answered", registry=registry
        )

        self.head_size = Gauge(
            "turnlog_head_size", "Size of the log's newest signed head", registry=registry
        )
        self.head_failures = Counter(
            "turnlog_head_failures", "Heads that were not published", registry=registry
        )

    def text(self) -> bytes:
        """The figures in Prometheus's text format."""
        return generate_latest(self.registry)
