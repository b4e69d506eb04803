"""Events that are gone are taken out of the full-text index, step by step."""

from securitycamd.db import tidying
from securitycamd.db.engine import Database


async def test_what_is_gone_is_taken_out_of_the_index(database: Database) -> None:
    async with database.session() as session:
        await session.script(
            "INSERT INTO event_texts SELECT seq, CONCAT(' ladder_2511 plate', seq % 50, '_2511 ') FROM seq_1_to_400"
        )
        await session.script("DELETE FROM event_texts WHERE event_id <= 300")
    assert await tidying.tidy_words(database, at_least=100_000) is False
    steps = 0
    while await tidying.tidy_words(database, at_least=1):
        steps += 1
        assert steps < 50
    async with database.session() as session:
        assert await tidying._gone(session) == 0
        [(on,)] = await session.script("SELECT @@GLOBAL.innodb_optimize_fulltext_only")
        assert on == 0
        search = "SELECT COUNT(*) FROM event_texts WHERE MATCH(words) AGAINST('+ladder_2511' IN BOOLEAN MODE)"
        assert list(await session.script(search)) == [(100,)]


async def test_a_user_who_may_not_is_told_apart(database: Database) -> None:
    async with database.session() as session:
        await session.script("CREATE USER IF NOT EXISTS small@localhost IDENTIFIED BY 'x'")
        await session.script("GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO small@localhost")
    address = database._address
    small = Database(
        type(address)("small", "x", address.name, socket=address.socket),
        pool_size=1,
        wait_seconds=5,
        statement_seconds=15,
    )
    await small.open()
    assert await tidying.tidy_words(small, at_least=1) is None
    await small.close()
