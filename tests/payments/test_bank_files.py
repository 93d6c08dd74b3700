"""Files of a bank: what is read of them, and that every wrong place is told."""

from datetime import date

import pytest

from payments import bank_files
from payments.bank_files import LARGEST_BYTES, Unreadable, read
from payments.bank_files.rows import Row
from tests.factories.bank import HEADER, OUR_IBAN, SENDERS_IBAN, line, statement

CAMT = """<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">
 <BkToCstmrStmt><GrpHdr><MsgId>1</MsgId></GrpHdr>
  <Stmt><Id>1</Id><Acct><Id><IBAN>{account}</IBAN></Id></Acct>
   {entries}
  </Stmt>
 </BkToCstmrStmt>
</Document>"""
ENTRY = """<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>{way}</CdtDbtInd>
    <Sts><Cd>{status}</Cd></Sts><BookgDt><Dt>{day}</Dt></BookgDt><AcctSvcrRef>{ref}</AcctSvcrRef>
    <NtryDtls>{parts}</NtryDtls></Ntry>"""
PART = """<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>{amount}
    <RltdPties><Dbtr><Pty><Nm>Ada &amp; Co</Nm></Pty></Dbtr>
    <DbtrAcct><Id><IBAN>{iban}</IBAN></Id></DbtrAcct></RltdPties>
    <RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>"""


def camt(*entries: str, account: str = OUR_IBAN) -> bytes:
    return CAMT.format(account=account, entries="".join(entries)).encode()


def entry(**fields: str) -> str:
    given = {
        "amount": "15.00",
        "way": "CRDT",
        "status": "BOOK",
        "day": "2026-11-22",
        "ref": "B1",
        "parts": part(),
        **fields,
    }
    return ENTRY.format(**given)


def part(amount: str = "", text: str = "RF18 5390", iban: str = SENDERS_IBAN) -> str:
    told = f'<Amt Ccy="EUR">{amount}</Amt>' if amount else ""
    return PART.format(amount=told, text=text, iban=iban)


ROW = Row(
    line=2,
    account=OUR_IBAN,
    bank_ref="B1",
    booked_on=date(2026, 11, 22),
    amount_minor=1500,
    currency="EUR",
    name="Ada & Co",
    iban=SENDERS_IBAN,
    text="RF18 5390 NOTPROVIDED",
)


def same(row: Row) -> tuple[object, ...]:
    """A row without its place."""
    return tuple(getattr(row, name) for name in Row.__slots__ if name != "line")


def test_a_table_is_read() -> None:
    fields = {"bank_ref": "B1", "name": "Ada & Co"}
    content = statement(line(1500, ROW.text, **fields))
    assert read(content) == [ROW]
    assert read(b"\xef\xbb\xbf" + content.replace(b",", b";").replace(b"\n", b"\r\n")) == [ROW]


def test_money_that_left_is_below_zero_in_either_format() -> None:
    assert read(statement(line(-1500)))[0].amount_minor == -1500
    assert read(camt(entry(way="DBIT")))[0].amount_minor == -1500


def test_a_camt_statement_is_read_in_old_and_new_words() -> None:
    new = camt(entry())
    old = new.replace(b".001.08", b".001.02").replace(
        b"<Sts><Cd>BOOK</Cd></Sts>", b"<Sts>BOOK</Sts>"
    )
    old = old.replace(b"<Pty>", b"").replace(b"</Pty>", b"").replace(b"15.00", b"15.00000")
    for content in (new, old):
        [row] = read(content)
        assert same(row) == same(ROW)


def test_what_is_not_booked_yet_is_left_out() -> None:
    assert read(camt(entry(status="PDNG"), entry(ref="B2")))[0].bank_ref == "B2"


def test_an_entry_of_several_transactions_is_several_lines() -> None:
    parts = part("5.00", "one") + part("10.00", "two")
    rows = read(camt(entry(parts=parts)))
    assert [(row.bank_ref, row.amount_minor, row.text) for row in rows] == [
        ("B1/1", 500, "one NOTPROVIDED"),
        ("B1/2", 1000, "two NOTPROVIDED"),
    ]


def test_transactions_without_amounts_are_one_line() -> None:
    [row] = read(camt(entry(parts=part(text="one") + part(text="two"))))
    assert (row.amount_minor, row.text) == (1500, "one NOTPROVIDED two NOTPROVIDED")


LAUGHS = b'<!DOCTYPE a [<!ENTITY a "ha">]><Document>&a;</Document>'
BROKEN = [
    ("nothing", b"", "line 1, column 1: the header has no bank_ref here"),
    ("another header", b"a,b\n", "line 1, column 1: the header has no bank_ref here"),
    ("a header cut short", b"bank_ref,account\n", "line 1, column 3: the header has no booked_on"),
    ("a column too many", f"{HEADER},more\n".encode(), "line 1, column 9: the header has"),
    ("a short line", statement("x"), "line 2, column 2: 1 columns instead of 8"),
    ("no reference", statement(line(1, bank_ref="")), "line 2, column 1: bank_ref is empty"),
    ("a long reference", statement(line(1, bank_ref="x" * 101)), "line 2, column 1: bank_ref is l"),
    ("no account", statement(line(1, account="DE1")), "line 2, column 2: account is no IBAN"),
    ("no day", statement(line(1, booked_on="2026-02-30")), "line 2, column 3: booked_on is no"),
    ("a short day", statement(line(1, booked_on="20261122")), "line 2, column 3: booked_on is no"),
    ("nothing moved", statement(line(0)), "line 2, column 4: amount is 0"),
    (
        "a comma",
        statement(line(1, amount="1,5")),
        "line 2, column 4: amount is none of EUR: format",
    ),
    ("three decimals", statement(line(1, amount="1.555")), "line 2, column 4: amount is none of"),
    ("too much", statement(line(1, amount="9" * 17)), "line 2, column 4: amount is none of EUR: s"),
    ("no number", statement(line(1, amount="NaN")), "line 2, column 4: amount is none of EUR"),
    (
        "an unknown currency",
        statement(line(1, amount="1.00").replace("EUR", "XXX")),
        "line 2, column 5: currency is unknown",
    ),
    ("a wrong IBAN", statement(line(1, iban="DE12")), "line 2, column 7: iban is no IBAN"),
    ("a long text", statement(line(1, "x" * 1001)), "line 2, column 8: text is longer than 1000"),
    ("a NUL", statement(line(1, "a\0b")), "line 2, column"),
    ("an open quote", statement('"x'), "line 2, column 1: unexpected end of data"),
    ("other bytes", statement(line(1)) + b"\xff", "line 3, column 1: this is not UTF-8"),
    ("too large", b"x" * (LARGEST_BYTES + 1), "line 1, column 1: the file is larger than 5 MiB"),
    ("another document", b"<a/>", "line 1, column 1: this is no CAMT.053 statement"),
    ("no document", b"<Document>", "line 1, column 11: no element found"),
    ("entities", LAUGHS, "line 1, column 13: a document type is not allowed"),
    ("a deep one", b"<a>" * 99, "line 1, column 121: elements are nested too deep"),
    (
        "no direction",
        camt(entry(way="BOTH")),
        "line 5, column 36: CdtDbtInd is neither CRDT nor DBIT",
    ),
    ("no amount", camt(entry(amount="")), "line 5, column 10: amount is none of EUR: format"),
    ("no reference of the bank", camt(entry(ref="")), "bank_ref is empty"),
    ("no account of ours", camt(entry(), account=""), "line 4, column 29: account is no IBAN"),
    (
        "a sum that is none",
        camt(entry(parts=part("5.00") + part("5.00"))),
        "line 5, column 10: its transactions do not sum to the entry",
    ),
]


@pytest.mark.parametrize(
    ("content", "told"), [pytest.param(*rest, id=name) for name, *rest in BROKEN]
)
def test_what_is_wrong_is_told_with_its_place(content: bytes, told: str) -> None:
    with pytest.raises(Unreadable) as raised:
        read(content)
    assert told in str(raised.value)


def test_a_file_of_too_many_lines_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank_files, "MOST_ROWS", 2)
    for content in (statement(*[line(1)] * 3), camt(*[entry()] * 3)):
        with pytest.raises(Unreadable, match="more than 2 lines"):
            read(content)
    assert len(read(statement(line(1), line(2)))) == 2


def test_all_that_is_wrong_is_told() -> None:
    with pytest.raises(Unreadable) as raised:
        read(statement(line(0, iban="x"), line(1), line(1, account="x")))
    places = [(problem.line, problem.column) for problem in raised.value.problems]
    assert places == [(2, 4), (2, 7), (4, 2)]
