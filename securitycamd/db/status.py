"""What is known of the database as a whole."""

from typing import Final

from securitycamd.db.engine import Database

_SIZE: Final = (
    "SELECT COALESCE(SUM(data_length + index_length), 0) FROM information_schema.tables WHERE table_schema = DATABASE()"
)


async def version(database: Database) -> str:
    """The server's version, as it calls itself."""
    async with database.session() as session:
        [(text,)] = await session.script("SELECT VERSION()")
    return str(text)


async def size_bytes(database: Database) -> int:
    """What the tables and their indexes take, by the server's own statistics."""
    async with database.session() as session:
        [(size,)] = await session.script(_SIZE)
    return int(size)
