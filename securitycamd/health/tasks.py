"""Are the supervised tasks alive?"""

from typing import Final

from securitycamd.health.report import Finding, Level, Rule
from securitycamd.supervision import Supervisor, TaskState

NAME: Final = "tasks"


def rule(supervisor: Supervisor) -> Rule:
    """The rule over all tasks."""

    async def check() -> Finding:
        troubled = [
            f"{task.name} {'is silent' if task.overdue else f'is {task.state}'}"
            + (f" ({task.last_error})" if task.last_error and not task.overdue else "")
            for task in supervisor.reports()
            if task.overdue or task.state is TaskState.BACKING_OFF
        ]
        if troubled:
            return Finding(
                NAME,
                Level.WARNING,
                "; ".join(troubled) + ".",
                "They are restarted by themselves; see the log.",
            )
        return Finding(NAME, Level.OK, "All tasks are alive.")

    return Rule(NAME, check)
