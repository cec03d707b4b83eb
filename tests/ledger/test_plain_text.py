"""Exports for plain-text accounting: hledger and beancount accept every one, and find on each account what we do."""

import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from batconnect.common.audit import system_user
from ledger.models import Account, Currency, EntryHeader, Origin
from ledger.selectors.plain_text import PeriodBackwards, UnknownFormat, account_name, export_journal
from ledger.services.entries import NewEntry, NewLine, enter

from .journal_story import behind_the_triggers, enter_plain, tell
from .plain_text_tools import Balances, bean_check, check_with_beancount, check_with_hledger, hledger

CHECKED: dict[str, Callable[[Path], Balances]] = {
    "hledger": check_with_hledger,
    "beancount": check_with_beancount,
}
formats = pytest.mark.parametrize("format_name", CHECKED)


def ours(*, through: date | None = None) -> Balances:
    """Debits minus credits of every account that there is, by the name it is exported under."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT a.id, a.type, a.code, a.name,
                      coalesce(sum(CASE l.side WHEN 'DR' THEN l.amount ELSE -l.amount END), 0)
                 FROM chart_of_accounts a
                 LEFT JOIN ledger_entry_line l ON l.account_id = a.id AND l.je_date <= %s GROUP BY a.id""",
            [through or date.max],
        )
        return {
            account_name(pk=pk, account_type=kind, code=code, name=name): amount
            for pk, kind, code, name, amount in cursor.fetchall()
        }


def exported(folder: Path, format_name: str, *arguments: str) -> Path:
    file = folder / f"journal.{format_name}"
    call_command(
        "export_journal", "--format", format_name, "--output", str(file), *arguments, stdout=io.StringIO()
    )
    return file


def moved(balances: Balances) -> Balances:
    return {name: amount for name, amount in balances.items() if amount}


@pytest.mark.django_db
@formats
class TestStories:
    def test_every_account_has_there_what_it_has_here(self, format_name, tmp_path):
        tell(tmp_path)
        file = exported(tmp_path, format_name)
        assert CHECKED[format_name](file) == ours()
        text = file.read_text()
        for entry in EntryHeader.objects.all():
            assert text.count(f"{entry.je_number}{')' if format_name == 'hledger' else chr(10)}") == 1
        assert "She said" in text and "EZPASS:TOLL-1" in text and "origin" in text

    def test_from_a_day_on_what_was_before_is_brought_forward(self, format_name, tmp_path):
        tell(tmp_path)
        for number, day in enumerate(("2019-03-31", "2019-04-01", "2019-04-30", "2019-06-15"), 1):
            enter_plain("5000", "1010", f"{number}.01", on=date.fromisoformat(day))
        periods = [
            ("2019-03-11", None), ("2019-04-01", "2019-05-10"), ("2019-07-01", "2019-08-01"), (None, "2019-03-31"),
        ]  # fmt: skip
        for start, end in periods:
            arguments = [*(("--from", start) if start else ()), *(("--to", end) if end else ())]
            file = exported(tmp_path, format_name, *arguments)
            through = date.fromisoformat(end) if end else None
            assert CHECKED[format_name](file) == ours(through=through), (start, end)
            assert ("Opening balances" in file.read_text()) == (start is not None)

    def test_an_empty_journal_is_a_chart_of_accounts(self, format_name, tmp_path):
        file = exported(tmp_path, format_name)
        assert CHECKED[format_name](file) == ours()

    def test_other_currencies_keep_their_decimals(self, format_name, tmp_path):
        for currency, amount in (("JPY", "1200"), ("KWD", "1.005"), ("EUR", "3.10")):
            debit, credit = (
                Account.objects.create(
                    code=f"{currency}{side}",
                    name=f"Cash in {currency}",
                    type="ASSET",
                    currency=Currency(currency),
                )
                for side in (1, 2)
            )
            lines = [
                NewLine(debit.pk, Decimal(amount), currency),
                NewLine(credit.pk, -Decimal(amount), currency),
            ]
            enter(
                [NewEntry(je_date=date(2019, 3, 4), lines=lines)],
                origin=Origin.BATCH,
                actor_id=system_user().pk,
            )
        file = exported(tmp_path, format_name)
        assert moved(CHECKED[format_name](file)) == moved(ours())
        assert "  1200 JPY" in file.read_text() and "  -1.005 KWD" in file.read_text()

    def test_texts_that_look_like_syntax_stay_texts(self, format_name, tmp_path):
        for text in (
            '"; comment', "* \\", "(JE-1) | note", "a\n2019-01-01 * trap\r\n\t x  1 USD", "=1+1",
            "тест ünïcode, ok:no", "} { ^link #tag @ 1",
        ):  # fmt: skip
            enter_plain("1010", "3000", "1.00", reference=text, description=text)
            enter_plain("1010", "3000", "1.00", reference=text)
        file = exported(tmp_path, format_name)
        assert CHECKED[format_name](file) == ours()

    def test_a_balance_that_is_not_what_the_entries_give_is_refused_by_the_reader(
        self, format_name, tmp_path
    ):
        """So that a green check means something."""
        tell(tmp_path)
        file = exported(tmp_path, format_name)
        text = file.read_text()
        wrong = re.sub(r"(Assets:1010-Bank +)(\S+)( USD)", r"\g<1>77.77\3", text, count=1)
        assert wrong != text
        file.write_text(wrong)
        with pytest.raises(AssertionError):
            CHECKED[format_name](file)
        lines = text.splitlines(keepends=True)
        entry = next(n for n, line in enumerate(lines) if "TOLL-1" in line)
        beginning = max(n for n in range(entry + 1) if lines[n].startswith("2019"))
        ending = next(n for n in range(entry, len(lines)) if not lines[n].strip())
        file.write_text("".join(lines[:beginning] + lines[ending:]))
        with pytest.raises(AssertionError):
            CHECKED[format_name](file)


@pytest.mark.django_db
def test_hledger_finds_an_entry_by_its_number_origin_and_reference(tmp_path):
    story = tell(tmp_path)
    file = exported(tmp_path, "hledger")
    number = EntryHeader.objects.get(posting=story.toll).je_number
    for query in (f"code:{number}", "tag:reference=EZPASS:TOLL-1"):
        assert hledger(file, "bal", query, "-O", "csv", "-N", "--flat") == (
            '"account","balance"\n"Assets:1200-Drivers-receivable","25.00 USD"\n'
            '"Liabilities:2400-E-ZPass-tolls-payable","-25.00 USD"\n'
        )
    assert "15.80" in hledger(file, "print", "tag:origin=TRIP")


@pytest.mark.django_db
class TestNames:
    def test_names_are_plain_and_stay_apart(self):
        accounts = [
            ("A", "B-C"), ("A-B", "C"), ("A-B-C", ""), ("A.B", "C"), ("a", "B-C"), ("X5", "A"), ("x5", "A"),
            ("X5-A", ""), ("1010", "Bänk & Söhne"), ("1010b", "日本"), ("日本", "日本"), ("_", "_"), ("1", "1"),
            ("1-1", ""),
        ]  # fmt: skip
        names = [
            account_name(pk=pk, account_type="ASSET", code=code, name=name)
            for pk, (code, name) in enumerate(accounts, 1)
        ]
        assert len(set(names)) == len(names)
        for name in names:
            assert re.fullmatch(r"Assets:[A-Z0-9][A-Za-z0-9-]*", name), name
        assert names[8] == "Assets:1010-Bank-Sohne"

    @formats
    def test_both_take_any_name(self, format_name, tmp_path):
        for code in ("A", "A-B", "A-B-C", "A.B", "a", "X5", "日本", "; x", "0"):
            Account.objects.create(code=code, name=f'{code} "x"; y', type="EXPENSE")
            enter_plain(code, "1010", "1.00")
        assert CHECKED[format_name](exported(tmp_path, format_name)) == ours()


@pytest.mark.django_db
class TestCommand:
    def test_without_a_file_it_is_printed(self, tmp_path):
        tell(tmp_path)
        out = io.StringIO()
        call_command("export_journal", "--format", "beancount", stdout=out)
        assert out.getvalue() == exported(tmp_path, "beancount").read_text()
        assert out.getvalue() == "".join(export_journal(format_name="beancount"))

    def test_what_makes_no_sense_is_told(self, tmp_path):
        with pytest.raises(PeriodBackwards):
            export_journal(format_name="hledger", start=date(2019, 3, 2), end=date(2019, 3, 1))
        with pytest.raises(UnknownFormat):
            export_journal(format_name="gnucash")
        with pytest.raises(SystemExit):
            call_command(
                "export_journal", "--format", "hledger", "--output", "/nowhere/x", stderr=io.StringIO()
            )
        with pytest.raises(CommandError):
            call_command("export_journal", "--format", "hledger", "--output", str(tmp_path))

    def test_a_file_that_is_not_finished_leaves_the_former_one(self, tmp_path):
        tell(tmp_path)
        file = exported(tmp_path, "beancount")
        before = file.read_text()
        behind_the_triggers("UPDATE ledger_entry_line SET account_id = -1 WHERE line_number = 2")
        with pytest.raises(KeyError):
            exported(tmp_path, "beancount")
        assert file.read_text() == before
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
        bean_check(file)


@pytest.mark.django_db
@pytest.mark.slow
@pytest.mark.thorough
def test_a_month_of_real_trips(shared_data, tmp_path):
    from .test_real_month import WEEKS, command

    command(
        "import_fleet", "--medallions", str(shared_data / "medallions.csv"), "--drivers",
        str(shared_data / "drivers.csv"), "--lease-from", "2019-02-24", "--weekly-fee", "150.00",
    )  # fmt: skip
    command("import_trips", str(shared_data / "curb_trips_2019-03.csv"))
    for week, *_ in WEEKS:
        command("run_week", "--week", week)
    for format_name, balances in CHECKED.items():
        assert balances(exported(tmp_path, format_name)) == ours()
        march = exported(tmp_path, format_name, "--from", "2019-03-10", "--to", "2019-03-31")
        assert balances(march) == ours(through=date(2019, 3, 10) + timedelta(days=21))
