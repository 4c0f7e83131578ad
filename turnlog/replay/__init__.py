"""Replay: a bot is asked again what users said, and its answers are held against the record."""

from turnlog.replay.allowing.rules import Rules as Rules
from turnlog.replay.divergence import Divergence as Divergence
from turnlog.replay.replayed import ReplayedConversation as ReplayedConversation
from turnlog.replay.running.many import replay as replay
