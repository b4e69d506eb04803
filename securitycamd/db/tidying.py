"""Keeps the full-text index quick while events go.

InnoDB keeps a list of the documents that are gone, and reads all of it with every search, until ``OPTIMIZE TABLE`` took
them out of the index: with footage that expires, months later a search would read a million numbers first. The work is
done in steps over as few words as the server allows, as each locks the table.
"""

from typing import Final

from pymysql import err
from pymysql.constants import ER

from securitycamd.db.engine import Database, Transaction

WORDS_A_STEP: Final = 1_000
_GONE: Final = (
    "SELECT (SELECT COUNT(*) FROM information_schema.INNODB_FT_DELETED)"
    " + (SELECT COUNT(*) FROM information_schema.INNODB_FT_BEING_DELETED)"
)
_STEP: Final = "SET STATEMENT lock_wait_timeout = 1 FOR OPTIMIZE TABLE event_texts"
_REFUSED: Final = frozenset({ER.SPECIFIC_ACCESS_DENIED_ERROR, ER.ACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR})


async def tidy_words(database: Database, *, at_least: int) -> bool | None:
    """Do one step where ``at_least`` so many events are gone; whether there is more to do.

    ``None``: the database's user may not; it must be allowed to set the server's variables (``SUPER``).
    """
    async with database.session() as session:
        try:
            [(name,)] = await session.script("SELECT DATABASE()")
            await session.script(f"SET GLOBAL innodb_ft_aux_table = '{name}/event_texts'")
            if await _gone(session) < at_least:
                return False
            return await _step(session)
        except (err.OperationalError, err.InternalError) as error:
            if error.args and error.args[0] in _REFUSED:
                return None
            raise


async def _gone(session: Transaction) -> int:
    [(count,)] = await session.script(_GONE)
    return int(count)


async def _step(session: Transaction) -> bool:
    await session.script(f"SET GLOBAL innodb_ft_num_word_optimize = {WORDS_A_STEP}")
    await session.script("SET GLOBAL innodb_optimize_fulltext_only = ON")
    try:
        if not await session.try_script(_STEP):
            return False  # the table is busy: next time
    finally:
        # Else somebody's OPTIMIZE would not do what it says.
        await session.script("SET GLOBAL innodb_optimize_fulltext_only = OFF")
    return bool(await _gone(session))
