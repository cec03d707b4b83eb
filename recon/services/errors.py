"""Errors that several services of reconciliation raise."""

from batconnect.common.errors import BatConnectError


class ReconError(BatConnectError):
    code = "recon.error"


class UnknownSource(ReconError):
    code, status = "recon.unknown_source", 404
    message = "There is no source {source}."


class UnknownJob(ReconError):
    code, status = "recon.unknown_job", 404
    message = "{source} was not reconciled for {date}."


class ChangedMeanwhile(ReconError):
    code, status = "recon.changed", 409
    message = "{row} is matched meanwhile, or in a newer reconciliation. Look at it again."


class NotEntered(ReconError):
    code, status = "settlement.not_entered", 409
    message = (
        "Settlement {settlement} is {status}, so it is no money that could be matched or written off. "
        "What becomes of it is decided among the card settlements."
    )
