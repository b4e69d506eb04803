"""Pages rendered from contexts."""

from collections.abc import Callable

import jinja2
import pytest

from securitycamd.web.ui.contexts import PageContext
from securitycamd.web.ui.environment import make_environment


@pytest.fixture(scope="session")
def environment() -> jinja2.Environment:
    return make_environment()


@pytest.fixture
def render(environment: jinja2.Environment) -> Callable[[PageContext], str]:
    def page(context: PageContext) -> str:
        return environment.get_template(context.template).render(context.values())

    return page
