"""Chat messages as OpenAI has them, tool calls included."""
