"""The events of the office as people bring them about on its screens, from the first page to the last button."""

from datetime import date, datetime
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from batconnect.cases.models import Case
from leases.models import Lease

from .browsing import Browser
from .people import Office, work

CASES = "/admin/cases/case"


class OnScreens:
    def __init__(self) -> None:
        self.office = Office()
        self._browsers: dict[str, Browser] = {}

    # --- what leads to the rows -----------------------------------------------------------------------------

    def lend(self, lease: Lease, amount: str, *, rate: str, since: date, first_due: date) -> None:
        page = self._case("Front desk", "DLN", lease.driver.tlc_license)
        page.press(
            "See the schedule", amount=amount, rate=rate, loan_date=str(since), first_due_on=str(first_due),
            method="CASH",
        )  # fmt: skip
        assert "needs a second person" in page.text
        page.press("Lend it")
        case = Case.objects.get(flow="DLN")
        page = self._browser("Finance manager").open(f"{CASES}/no/{case.case_no}/work/")
        page.press("Look once more", decision="APPROVE").press("Decide so")

    def repair(self, lease: Lease, amount: str, *, since: date, first_due: date) -> None:
        page = self._case("Front desk", "RPR", lease.vehicle.vin)
        page.press(
            "See the schedule", vendor="Queens Brakes", invoice_number="Q-1", invoice_date=str(since),
            amount=amount, payer="driver", first_due_on=str(first_due), then="now",
            description="Brake pads and discs",
        )  # fmt: skip
        page.press("Enter this repair")

    # --- the rows -------------------------------------------------------------------------------------------

    def fetch_trips(self, since: datetime, until: datetime) -> None:
        page = self._browser("Accountant").open("/admin/recon/curbfetch/fetch/")
        page.press("Fetch", begin=_typed(since), end=_typed(until))
        assert "Trips are being fetched." in page.text
        work()

    def load_violations(self, text: str) -> None:
        page = self._browser("Accountant").open("/admin/recon/agencyfile/upload/")
        page.press("Load this file", kind="PVB", file=SimpleUploadedFile("pvb.csv", text.encode()))
        assert "1 of 1 rows were new; 1 are charged" in page.text

    def enter_summons(self, lease: Lease, number: str, amount: str, written: datetime) -> None:
        page = self._case("Front desk", "TLC", lease.vehicle.plate)
        page.press(
            "See whose it is", number=number, amount=amount, issue_date=f"{written:%Y-%m-%d}",
            issue_time=f"{written:%H:%M}",
        )  # fmt: skip
        assert f"Charge {lease.driver.name} {amount}?" in page.text
        page.press("Enter the summons")

    def charge(self, lease: Lease, category: str, amount: str, happened: date) -> str:
        page = self._case("Front desk", "MISCEXP", lease.medallion.number)
        page.press("See what it does", category=category, amount=amount, expense_date=str(happened))
        page.press("Charge the driver")
        assert "is charged" in page.text
        return str(Case.objects.get(flow="MISCEXP").result["expense_id"])

    def run_week(self, week: date, *, dry_run: bool = False) -> str:
        page = self._browser("Accountant").open("/admin/ledger/weeklyrun/run/")
        page.press("Preview" if dry_run else "Run and close", week=str(week))
        work()
        page.open(page.address)
        assert ("nothing is kept" if dry_run else "Run of the week of") in page.text
        return page.text

    def read_dtr(self, lease: Lease, week: date) -> str:
        report = lease.dtrs.get(week=week)
        return self._browser("Accountant").open(f"/admin/ledger/dtr/{report.pk}/change/").text

    def take_payment(self, lease: Lease, amount: str, parts: dict[str, str]) -> None:
        page = self._case("Cashier", "INTPAY", lease.driver.tlc_license)
        items = {f"item:{reference}": part for reference, part in parts.items()}
        page.press("See what it does", total_payment_amount=amount, payment_method="CASH", **items)
        page.press("Take the payment")

    def void(self, reference: str, reason: str) -> None:
        page = self._case("Accountant", "VOID", reference)
        page.press("See what it does", reason=reason).press("Void this posting")

    def terminate(self, lease: Lease, last_day: date, reason: str) -> None:
        page = self._browser("Front desk").open(f"/admin/leases/lease/{lease.pk}/end/")
        page.press("See what it does", ends_on=str(last_day), reason=reason).press("End the lease")
        assert f"ends on {last_day}" in page.text

    # --- how it is done -------------------------------------------------------------------------------------

    def _browser(self, role: str) -> Browser:
        if role not in self._browsers:
            self._browsers[role] = Browser(self.office[role])
        return self._browsers[role]

    def _case(self, role: str, flow: str, words: str) -> Browser:
        """A case begun: find what it is about and pick the only hit, which leads to the form of its first step."""
        page = self._browser(role).open(f"{CASES}/start/{flow}/").press("Find", q=words)
        hits: list[Any] = [
            button for form in page.forms for button in form.buttons if button.name == "pick" and button.value
        ]
        assert len(hits) == 1, page.text
        return page.press(hits[0].label)


def _typed(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M}"
