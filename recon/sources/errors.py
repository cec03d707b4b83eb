"""What can be wrong with what comes from outside. Each says where, and that nothing was loaded."""

from batconnect.common.errors import BatConnectError


class SourceError(BatConnectError):
    code, status = "recon.source", 400


class BadMapping(SourceError):
    code, status = "recon.bad_mapping", 400
    message = "The source is not set up as it must be: {problem}."


class BadFile(SourceError):
    code, status = "recon.bad_file", 400
    message = "The file cannot be read: {problem}. Nothing was loaded."


class BadRow(SourceError):
    code, status = "recon.bad_row", 400
    message = "Row {row}, column {column}: {problem}. Nothing was loaded."


class UnsupportedCurrency(SourceError):
    code, status = "recon.unsupported_currency", 400
    message = (
        "Row {row}, column {column}: {currency} is not the source's currency, {expected}. Nothing was loaded."
    )


class ControlTotals(SourceError):
    code, status = "recon.control_totals", 400
    message = (
        "{what} {stated} is stated, and the rows come to {found}: this is not all of it. Nothing was loaded."
    )


class HostNotAllowed(SourceError):
    code, status = "recon.host_not_allowed", 400
    message = "{host} is not called: {why}."


class SourceUnreachable(SourceError):
    code, status = "recon.source_unreachable", 409
    message = "Page {page} did not come: {problem}. Nothing was loaded; run it again later."
