"""Replay: a bot is asked again what users said, and its answers are held against the record."""

from turnlog.replay.divergence import Divergence as Divergence
from turnlog.replay.many import replay as replay
from turnlog.replay.replayed import ReplayedConversation as ReplayedConversation
from turnlog.replay.rules import Rules as Rules
