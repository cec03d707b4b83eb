"""Paths of the ledger, as clients know them."""

from datetime import date

from django.urls import register_converter
from django.urls.converters import StringConverter

from batconnect.api.routes import route

from . import accounts, batches, drawers, dtrs, exports, journal, reports, views, weeks


class DTRNumber(StringConverter):
    regex = "[A-Z]{2,12}-[0-9]{4}-[0-9]{5,10}"


class PaymentNumber(StringConverter):
    regex = "INTPAY-[0-9]{4}-[0-9]{5,10}"


class EntryNumber(StringConverter):
    regex = "JE-[1-9][0-9]{3}(?:0[1-9]|1[0-2])-[0-9]{1,18}"


class ManualJournalNumber(StringConverter):
    regex = "MJ-[0-9]{4}-[0-9]{5,10}"


class JournalNumber(StringConverter):
    regex = f"(?:{EntryNumber.regex}|{ManualJournalNumber.regex})"


class Week(StringConverter):
    """A day as 2019-03-03; another text is no address."""

    regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> date:  # type: ignore[override]
        return date.fromisoformat(value)

    def to_url(self, value: object) -> str:
        return str(value)


register_converter(DTRNumber, "dtr_number")
register_converter(PaymentNumber, "payment_number")
register_converter(EntryNumber, "je_number")
register_converter(ManualJournalNumber, "mj_number")
register_converter(JournalNumber, "journal_number")
register_converter(Week, "week")

urlpatterns = [
    route("postings", views.Postings.as_view(), name="ledger-postings"),
    route("postings/<uuid:posting_id>/void", views.Void.as_view(), name="ledger-void"),
    route("balances", views.Balances.as_view(), name="ledger-balances"),
    route("export", exports.Export.as_view(), name="ledger-export"),
    route("interim-payment", views.Payments.as_view(), name="ledger-interim-payment"),
    route(
        "interim-payment/<payment_number:payment_number>/bounced",
        drawers.CheckBounced.as_view(),
        name="ledger-check-bounced",
    ),
    route("drawer", drawers.TodaysDrawer.as_view(), name="ledger-drawer"),
    route("drawer/close", drawers.Close.as_view(), name="ledger-drawer-close"),
    route("drawer/float", drawers.Float.as_view(), name="ledger-drawer-float"),
    route("drawer/closes", drawers.Closes.as_view(), name="ledger-drawer-closes"),
    route("credits", drawers.Credits.as_view(), name="ledger-credits"),
    route("drivers/<id:driver_id>/balance", views.DriverBalance.as_view(), name="ledger-driver-balance"),
    route("aging", views.Aging.as_view(), name="ledger-aging"),
    route("dtrs", dtrs.DTRs.as_view(), name="ledger-dtrs"),
    route("dtrs/<dtr_number:number>", dtrs.DTRDetail.as_view(), name="ledger-dtr"),
    route("dtrs/<dtr_number:number>/pdf", dtrs.DTRPdf.as_view(), name="ledger-dtr-pdf"),
    route(
        "dtrs/<dtr_number:number>/reverse-settlement",
        dtrs.ReverseSettlement.as_view(),
        name="ledger-reverse-settlement",
    ),
    route("weeks", weeks.Weeks.as_view(), name="ledger-weeks"),
    route("weeks/<week:week>", weeks.WeekDetail.as_view(), name="ledger-week"),
    route("account", accounts.Accounts.as_view(), name="ledger-accounts"),
    route("account/<uuid:account_id>", accounts.AccountDetail.as_view(), name="ledger-account"),
    route(
        "account/<uuid:account_id>/balance", accounts.AccountBalance.as_view(), name="ledger-account-balance"
    ),
    route("transfer", accounts.Transfers.as_view(), name="ledger-transfer"),
    route("events", accounts.Events.as_view(), name="ledger-events"),
    route("journal", journal.Journal.as_view(), name="ledger-journal"),
    route("journal/<journal_number:je_number>", journal.JournalDetail.as_view(), name="ledger-journal-entry"),
    route("journal/<mj_number:mj_number>/approve", journal.Approve.as_view(), name="ledger-journal-approve"),
    route("journal/<mj_number:mj_number>/reject", journal.Reject.as_view(), name="ledger-journal-reject"),
    route("journal/<je_number:je_number>/reverse", journal.Reverse.as_view(), name="ledger-journal-reverse"),
    route("batches", batches.Batches.as_view(), name="ledger-batches"),
    route("batches/<id:run_id>", batches.BatchDetail.as_view(), name="ledger-batch"),
    route("batches/<id:run_id>/rejects", batches.BatchRejects.as_view(), name="ledger-batch-rejects"),
    route("batches/<id:run_id>/resume", batches.BatchResume.as_view(), name="ledger-batch-resume"),
    route("batches/<id:run_id>/reverse", batches.BatchReverse.as_view(), name="ledger-batch-reverse"),
    route("batches/<id:run_id>/discard", batches.BatchDiscard.as_view(), name="ledger-batch-discard"),
    route(
        "batches/uploads/<uuid:upload_id>", batches.BatchUploadDetail.as_view(), name="ledger-batch-upload"
    ),
    route(
        "batches/uploads/<uuid:upload_id>/rejects",
        batches.BatchUploadRejects.as_view(),
        name="ledger-batch-upload-rejects",
    ),
    route("trial-balance", reports.TrialBalance.as_view(), name="ledger-trial-balance"),
    route("summary", reports.Summary.as_view(), name="ledger-summary"),
    route("reports/profit-and-loss", reports.ProfitAndLoss.as_view(), name="ledger-profit-and-loss"),
    route("reports/balance-sheet", reports.BalanceSheet.as_view(), name="ledger-balance-sheet"),
    route("reports/account-statement", reports.AccountStatement.as_view(), name="ledger-account-statement"),
]
