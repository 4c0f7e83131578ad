"""Bots: their protocol, how to load and ask one, and a small one that ships with turnlog."""

from turnlog.bots.bot import Answer as Answer
from turnlog.bots.bot import Bot as Bot
from turnlog.bots.bot import LoadedBot as LoadedBot
from turnlog.bots.bot import Tool as Tool
from turnlog.bots.bot import as_events as as_events
from turnlog.bots.bot import ask as ask
from turnlog.bots.bot import bot_failed as bot_failed
from turnlog.bots.chunk import Chunk as Chunk
from turnlog.bots.conversation import BotConversation as BotConversation
from turnlog.bots.live import LiveConversation as LiveConversation
from turnlog.bots.loading import load as load
from turnlog.bots.loading import named as named
