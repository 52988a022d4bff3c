"""Records of calls in a database: SQLite, or PostgreSQL with the extra ``postgres``."""
