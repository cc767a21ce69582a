"""The services that are paid for: their addresses, and the variables with their keys."""

OPENAI = "https://api.openai.com/v1"
KEYS = {"openai": "OPENAI_API_KEY", "gemini": "GEMINI_API_KEY"}
