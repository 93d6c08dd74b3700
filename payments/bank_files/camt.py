"""A statement as CAMT.053 of ISO 20022, any version: its booked entries.

Read by expat into plain nodes that know their place. A document type is refused before anything of it
is read, so there are no entities to expand. An entry of several transactions is as many lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from xml.parsers import expat

from django.utils.translation import gettext as _

from payments.bank_files.rows import Cell, Problem, Row, Unreadable, judge

BOOKED, CREDIT, DEBIT = "BOOK", "CRDT", "DBIT"
DEEPEST = 40


@dataclass(slots=True)
class Node:
    """An element: its name without the namespace, its place, its text, its children."""

    name: str
    line: int
    column: int
    attributes: dict[str, str]
    text: str = ""
    children: list["Node"] = field(default_factory=list)

    def all(self, *path: str) -> list["Node"]:
        """The descendants on that path."""
        nodes = [self]
        for name in path:
            nodes = [child for node in nodes for child in node.children if child.name == name]
        return nodes

    def first(self, *paths: str) -> "Node | None":
        """The first descendant on the first of the paths (`Acct/Id/IBAN`) that leads to one."""
        found = (node for path in paths for node in self.all(*path.split("/")))
        return next(found, None)

    def cell(self, *paths: str) -> Cell:
        """The text there; nothing, at this node's place, where there is none."""
        node = self.first(*paths)
        return Cell(node.text, node.line, node.column) if node else self.here("")

    def here(self, value: str) -> Cell:
        """A value that stands for this node."""
        return Cell(value, self.line, self.column)


def read(text: str) -> list[Row]:
    """The lines of the file. Raises Unreadable with all that is wrong."""
    root = _parsed(text)
    statements = root.all("BkToCstmrStmt", "Stmt")
    if root.name != "Document" or not statements:
        raise Unreadable([Problem(root.line, root.column, _("this is no CAMT.053 statement"))])
    problems: list[Problem] = []
    rows: list[Row] = []
    for statement in statements:
        for entry in statement.all("Ntry"):
            for judged in _lines(statement, entry):
                if isinstance(judged, Row):
                    rows.append(judged)
                else:
                    problems += judged
    if problems:
        raise Unreadable(problems)
    return rows


def _parsed(text: str) -> Node:
    parser = expat.ParserCreate(namespace_separator=" ")
    top = Node("", 1, 1, {})
    path = [top]

    def start(name: str, attributes: dict[str, str]) -> None:
        line, column = parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        node = Node(name.rpartition(" ")[2], line, column, attributes)
        if len(path) > DEEPEST:
            raise Unreadable([Problem(line, column, _("elements are nested too deep"))])
        path[-1].children.append(node)
        path.append(node)

    def end(name: str) -> None:
        path.pop()

    def data(text: str) -> None:
        path[-1].text += text

    def refuse(*given: object) -> None:
        line, column = parser.CurrentLineNumber, parser.CurrentColumnNumber + 1
        raise Unreadable([Problem(line, column, _("a document type is not allowed"))])

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler, parser.StartDoctypeDeclHandler = data, refuse
    parser.buffer_text = True
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        place = error.lineno, error.offset + 1
        raise Unreadable([Problem(*place, expat.ErrorString(error.code))]) from None
    [root] = top.children
    return root


def _lines(statement: Node, entry: Node) -> Iterator[Row | list[Problem]]:
    """The lines of an entry; none of one that is not booked yet."""
    if entry.cell("Sts/Cd", "Sts").value.strip() not in ("", BOOKED):
        return
    parts = entry.all("NtryDtls", "TxDtls")
    if len(parts) < 2 or not all(part.first("Amt", "AmtDtls/TxAmt/Amt") for part in parts):
        yield _line(statement, entry, entry, parts, "")
        return
    if problems := _sum_is_wrong(entry, parts):
        yield problems
        return
    for number, part in enumerate(parts, start=1):
        yield _line(statement, entry, part, [part], f"/{number}")


def _line(
    statement: Node, entry: Node, node: Node, parts: list[Node], suffix: str
) -> Row | list[Problem]:
    direction = node.first("CdtDbtInd") or entry.first("CdtDbtInd")
    amount = node.first("Amt", "AmtDtls/TxAmt/Amt") or node
    if direction is None or direction.text.strip() not in (CREDIT, DEBIT):
        return [(direction or entry).here("").wrong(_("CdtDbtInd is neither CRDT nor DBIT"))]
    is_credit = direction.text.strip() == CREDIT
    party = "Dbtr" if is_credit else "Cdtr"
    who = f"RltdPties/{party}"
    detail = parts[0] if parts else entry
    reference = entry.cell("AcctSvcrRef", "NtryDtls/TxDtls/Refs/AcctSvcrRef", "NtryRef")
    name = detail.cell(f"{who}/Nm", f"{who}/Pty/Nm")
    return judge(
        {
            "bank_ref": Cell(reference.value and reference.value + suffix, *_place(reference)),
            "account": statement.cell("Acct/Id/IBAN"),
            "booked_on": _day(entry.cell("BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt")),
            "amount": amount.here(_decimal(amount.text, is_credit=is_credit)),
            "currency": amount.here(amount.attributes.get("Ccy", "")),
            "name": Cell(name.value.strip()[:140], *_place(name)),
            "iban": detail.cell(f"RltdPties/{party}Acct/Id/IBAN"),
            "text": detail.here(" ".join(_texts(entry, parts))[:1000]),
        }
    )


def _place(cell: Cell) -> tuple[int, int]:
    return cell.line, cell.column


def _day(cell: Cell) -> Cell:
    """A moment is booked on its day."""
    return Cell(cell.value.strip()[:10], *_place(cell))


def _decimal(text: str, *, is_credit: bool) -> str:
    """The amount with its sign, without zeros that the format allows and currencies do not have."""
    number = text.strip()
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return number if is_credit else f"-{number}"


def _texts(entry: Node, parts: list[Node]) -> Iterator[str]:
    """What was written to us, structured or not, and how the order was named at its bank."""
    for part in parts:
        for path in ("RmtInf/Ustrd", "RmtInf/Strd/CdtrRefInf/Ref", "Refs/EndToEndId", "AddtlTxInf"):
            yield from (node.text for node in part.all(*path.split("/")))
    yield from (node.text for node in entry.all("AddtlNtryInf"))


def _sum_is_wrong(entry: Node, parts: list[Node]) -> list[Problem]:
    """The transactions of an entry sum to it, or nobody knows what they are."""
    amount = entry.first("Amt") or entry
    texts = [part.cell("Amt", "AmtDtls/TxAmt/Amt").value for part in parts]
    try:
        agrees = sum(Decimal(text.strip()) for text in texts) == Decimal(amount.text.strip())
    except InvalidOperation:
        agrees = False
    return [] if agrees else [amount.here("").wrong(_("its transactions do not sum to the entry"))]
