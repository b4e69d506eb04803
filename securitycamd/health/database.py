"""Does the database answer?"""

from typing import Final

from securitycamd.db.engine import Database
from securitycamd.health.report import Finding, Level, Rule

NAME: Final = "database"


def rule(database: Database) -> Rule:
    """The rule over this database."""

    async def check() -> Finding:
        if await database.ping():
            return Finding(NAME, Level.OK, "The database answers.")
        return Finding(
            NAME,
            Level.CRITICAL,
            "The database does not answer.",
            "Events wait at the cameras meanwhile. The embedded database is started again by itself; "
            "one of your own (database.url) needs a look.",
        )

    return Rule(NAME, check)
