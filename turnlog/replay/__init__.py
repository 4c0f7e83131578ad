"""Replay: sends users' recorded messages to a bot again and compares its answers with the
record.
"""

from turnlog.replay.allowing.rules import Rules as Rules
from turnlog.replay.divergence import Divergence as Divergence
from turnlog.replay.replayed import ReplayedConversation as ReplayedConversation
from turnlog.replay.running.many import replay as replay
