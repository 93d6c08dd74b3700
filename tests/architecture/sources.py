"""The rules that are read from the source text; each answers the places that break it."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

from orders.machines import MACHINES

ROOT = Path(__file__).resolve().parents[2]
APPS = (
    "config",
    "shop",
    "analytics",
    "orders",
    "payments",
    "inventory",
    "delivery",
    "catalog",
    "accounts",
    "core",
)
LONGEST_FUNCTION, LONGEST_FILE = 60, 400
BIRTHS = {"build", "create", "get_or_create"}
N = TypeVar("N", bound=ast.AST)
Sources = dict[str, str]  # path from the root → text

NETWORK = {"httpx", "requests", "socket", "http.client", "urllib.request", "smtplib"}
MAY_CALL_OUT = (
    "/channels/",
    "/carriers/",
    "/sandbox/",
    "/management/",
    "core/ids/lease.py",  # asks for its own host's name only
)
MAY_OPEN_TRANSACTIONS = {
    "core/command.py",  # what services run in
    "core/idempotency.py",  # the savepoint around a refused service
    "core/relay.py",  # its bookkeeping
    "core/audit.py",  # building its views
    "core/snapshot.py",  # reading only
    "core/monitor.py",  # the savepoint around a condition that can't be read
    "core/reference.py",  # reference rows, written by migrate
    "accounts/rows.py",  # the savepoint around an insert that may lose a race
    "payments/services/hooks.py",  # the savepoint around a notice that does not fit
}


def ours() -> Sources:
    """The application's own code, without migrations and tests."""
    return {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for app in APPS
        for path in sorted((ROOT / app).rglob("*.py"))
        if "migrations" not in path.parts
    }


def locks_elsewhere(sources: Sources) -> list[str]:
    """`select_for_update` stands in locks.py only."""
    return [
        f"{path}:{node.lineno}"
        for path, node in _nodes(sources, ast.Attribute)
        if node.attr == "select_for_update" and Path(path).name != "locks.py"
    ]


def status_writes(sources: Sources) -> list[str]:
    """A status changes in core/fsm.py only: no assignment, no update, no SQL, no birth elsewhere.

    The sandboxes are programs of others with books of their own.
    """
    return [
        f"{path}:{node.lineno}"  # type: ignore[attr-defined]
        for path, node in _nodes(sources, ast.AST)
        if path != "core/fsm.py"
        and "/sandbox/" not in path
        and _writes_status(node, stateful() - _classes(sources[path]))
    ]


def _writes_status(node: ast.AST, models: set[str]) -> bool:
    match node:
        case ast.Attribute(attr="status", ctx=ast.Store()):
            return True
        case ast.Subscript(slice=ast.Constant(value="status"), ctx=ast.Store()):
            return True
        case ast.Constant(value=str() as text):
            return _sql_writes_status(text)
        case ast.JoinedStr(values=parts):
            return _sql_writes_status("".join(str(getattr(part, "value", "")) for part in parts))
        case ast.Call():
            return _call_writes_status(node, models)
    return False


def _call_writes_status(call: ast.Call, models: set[str]) -> bool:
    names = [n.id for n in ast.walk(call.func) if isinstance(n, ast.Name)]
    verb = getattr(call.func, "attr", "") or names[0]
    named = {keyword.arg for keyword in call.keywords}
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    constants = {n.value for arg in given for n in ast.walk(arg) if isinstance(n, ast.Constant)}
    return (
        (verb in ("update", "update_or_create") and "status" in named | constants)
        or (verb in ("bulk_update", "setattr", "__setattr__", "save") and "status" in constants)
        or ("status" in named and verb in BIRTHS | models and bool(models & set(names)))
    )


def _sql_writes_status(text: str) -> bool:
    pattern = r"\bUPDATE\b.*\bSET\b[^;]*?\bstatus\b\s*="
    return bool(re.search(pattern, text, re.IGNORECASE | re.DOTALL))


@cache
def _classes(text: str) -> set[str]:
    """Names that a file defines itself."""
    return set(re.findall(r"^class (\w+)", text, re.MULTILINE))


@cache
def stateful() -> set[str]:
    """The names of our models with a machine."""
    return {
        klass.name
        for _, klass in _nodes(ours(), ast.ClassDef)
        if any(isinstance(base, ast.Name) and base.id == "Stateful" for base in klass.bases)
    }


def second_lists_of_states(sources: Sources) -> list[str]:
    """Sets of states are asked of the machines; only their tables list them, and words for people.

    The sandboxes are programs of others with words of their own.
    """
    return [
        f"{path}:{node.lineno}"
        for kind in (ast.Tuple, ast.List, ast.Set)
        for path, node in _nodes(sources, kind)
        if Path(path).name != "states.py"
        and "/sandbox/" not in path
        and sum(_names_state(element) for element in node.elts) > 1  # type: ignore[attr-defined]
    ]


def _names_state(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=str() as text):
            return any(text in machine.names for machine in MACHINES)
        case ast.Attribute(value=ast.Name(id="states"), attr=constant):
            return any(constant.lower() in machine.names for machine in MACHINES)
    return False


def told_writes(sources: Sources) -> list[str]:
    """What steps tell of a row changes with a step: by start() and fire(), so that none is missed."""
    return [
        f"{path}:{node.lineno}"  # type: ignore[attr-defined]
        for path, node in _nodes(sources, ast.AST)
        # A bench that spreads deadlines writes the births that tell of them along.
        if path not in ("core/fsm.py", "orders/management/bench/expiry.py")
        and "/sandbox/" not in path
        and _writes_told(node)
    ]


def _writes_told(node: ast.AST) -> bool:
    told = {name for names in told_fields().values() for name in names}
    match node:
        case ast.Attribute(attr=name, ctx=ast.Store(), value=ast.Name(id=row)):
            return name in told and row in ("group", "order", "row")
        case ast.Constant(value=str() as text):
            return _sql_writes_told(text)
        case ast.JoinedStr(values=parts):
            return _sql_writes_told("".join(str(getattr(part, "value", "")) for part in parts))
        case ast.Call(func=ast.Attribute(attr=verb)):
            return verb in TOLD_WRITERS and bool(_named(node) & _told_by(node))
    return False


TOLD_WRITERS = {"update", "update_or_create", "bulk_update", "save"}


def _told_by(call: ast.Call) -> set[str]:
    """The told fields of the models that a call names; of all where it names none of ours."""
    names = {n.id for n in ast.walk(call.func) if isinstance(n, ast.Name)}
    fields = told_fields()
    if names & set(fields):
        return {field for model in names & set(fields) for field in fields[model]}
    others = {"email"}  # a field of much else, too
    return {field for told in fields.values() for field in told} - others


def _named(call: ast.Call) -> set[object]:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    constants = {n.value for arg in given for n in ast.walk(arg) if isinstance(n, ast.Constant)}
    return {keyword.arg for keyword in call.keywords} | constants


def _sql_writes_told(text: str) -> bool:
    for table, names in (("orders_ordergroup", "OrderGroup"), ("orders_order", "Order")):
        if found := re.search(
            rf"\bUPDATE\s+{table}\b.*\bSET\b(.*)", text, re.IGNORECASE | re.DOTALL
        ):
            return any(re.search(rf"\b{name}\b\s*=", found[1]) for name in told_fields()[names])
    return False


@cache
def told_fields() -> dict[str, set[str]]:
    """Model → the fields that its steps tell."""
    return {
        klass.name: {n.value for n in ast.walk(told.value) if isinstance(n, ast.Constant)}  # type: ignore[misc]
        for _, klass in _nodes(ours(), ast.ClassDef)
        for told in klass.body
        if isinstance(told, ast.Assign) and ast.unparse(told.targets[0]) == "told"
    }


def save_overrides(sources: Sources) -> list[str]:
    """No model overrides save() or delete(); a resource of the API answers DELETE by that name."""
    return [
        f"{path}:{node.lineno}"
        for path, klass in _nodes(sources, ast.ClassDef)
        for node in klass.body
        if isinstance(node, ast.FunctionDef)
        and node.name in ("save", "delete")
        and not (node.name == "delete" and "api" in Path(path).with_suffix("").parts)
    ]


def signals(sources: Sources) -> list[str]:
    """No Django signals: neither ours nor receivers of theirs."""
    return [
        place
        for place, name in _imports(sources)
        if name.startswith("django.dispatch") or re.match(r"django.*\bsignals\b", name)
    ]


def transactions_elsewhere(sources: Sources) -> list[str]:
    """Only the kernel opens transactions, so that a reader sees where each begins and ends."""
    opened = [
        f"{path}:{node.lineno}"
        for path, node in _nodes(sources, ast.Attribute)
        if node.attr == "atomic" and path not in MAY_OPEN_TRANSACTIONS
    ]
    return opened + [place for place, name in _imports(sources) if name.endswith(".atomic")]


def network_elsewhere(sources: Sources) -> list[str]:
    """Only channels, carriers, sandboxes and commands speak to other machines."""
    return [
        place
        for place, name in _imports(sources)
        if name in NETWORK and not any(part in place for part in MAY_CALL_OUT)
    ]


def _imports(sources: Sources) -> Iterator[tuple[str, str]]:
    """The place of each import, and every module or member that it may mean."""
    for path, node in _nodes(sources, ast.Import):
        for alias in node.names:
            yield f"{path}:{node.lineno}", alias.name
    for path, from_node in _nodes(sources, ast.ImportFrom):
        place = f"{path}:{from_node.lineno}"
        yield place, from_node.module or ""
        for alias in from_node.names:
            yield place, f"{from_node.module}.{alias.name}"


def too_long(sources: Sources) -> list[str]:
    """Functions of at most 60 lines, files of at most 400."""
    functions = [
        f"{path}:{node.lineno} {node.name}"
        for path, node in _nodes(sources, ast.FunctionDef)
        if (node.end_lineno or 0) - node.lineno >= LONGEST_FUNCTION
    ]
    files = [path for path, text in sources.items() if text.count("\n") > LONGEST_FILE]
    return functions + files


def services_without_actor(sources: Sources) -> list[str]:
    """A service takes keywords only, and the actor is one of them; storing a hook has none yet."""
    return [
        f"{path}:{node.lineno} {node.name}"
        for path, node in _nodes(sources, ast.FunctionDef)
        if any(_is_command(decorator) for decorator in node.decorator_list)
        and (node.args.args or "actor" not in {a.arg for a in node.args.kwonlyargs})
        and node.name != "hook_store"
    ]


def _is_command(decorator: ast.expr) -> bool:
    return isinstance(decorator, ast.Name) and decorator.id == "command"


def _nodes(sources: Sources, kind: type[N]) -> Iterator[tuple[str, N]]:
    for path, text in sources.items():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, kind):
                yield path, node
