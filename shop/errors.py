"""A refusal as the head of a page: what is wrong, each with a link to where it can be put right."""

from dataclasses import dataclass

from core.errors import DomainError
from orders.sentences import Problem


@dataclass(frozen=True, slots=True)
class PageError:
    """One sentence of the error summary; `field` is the id, after `id_`, of what it is about."""

    message: str
    field: str = ""
    code: str = ""

    @property
    def href(self) -> str:
        """Where the link leads, '' where the page has nothing to point at."""
        return f"#id_{self.field}" if self.field else ""


def page_errors(refusal: DomainError) -> list[PageError]:
    """The sentences of a refusal: one per problem, or its own where it has only that."""
    problems = refusal.facts.get("errors")
    if not problems:
        return [PageError(str(refusal.message), code=refusal.code)]
    return [PageError(each["message"], each["field"], each["code"]) for each in problems]


def page_error(problem: Problem) -> PageError:
    """A problem that a page has found by itself."""
    return PageError(problem.message, problem.field, problem.code)
