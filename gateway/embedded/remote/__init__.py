"""Servers elsewhere that a session uses: MCP tools, and the models of a cascade."""
