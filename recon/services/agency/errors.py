"""What can be refused about tolls and tickets, each with what to do instead."""

from ..errors import ReconError


class AgencyError(ReconError):
    code = "agency.error"


class UnknownItem(AgencyError):
    code, status = "agency.unknown", 404
    message = "There is no such toll or ticket."


class DecidedMeanwhile(AgencyError):
    code, status = "agency.changed", 409
    message = "{number} was decided about meanwhile: it is {state} now. Look at it again."


class NotPossible(AgencyError):
    code, status = "agency.not_possible", 409
    message = "{number} is {state}; it cannot be {asked}. {instead}"


class NothingSuggested(AgencyError):
    code, status = "agency.nothing_suggested", 409
    message = "Nobody is suggested for {number}; assign it to a lease, or take it as fleet cost."


class PayerUnknown(AgencyError):
    code, status = "agency.payer", 400
    message = "{paid} of {number} was paid already. Say by whom: FLEET charges {whole}, DRIVER charges {due}."


class NothingOwed(AgencyError):
    code, status = "agency.nothing_owed", 409
    message = "Nothing of {number} is owed any more; dismiss it instead."


class WrongAmount(AgencyError):
    code, status = "agency.amount", 400
    message = (
        "{number} is charged with {charged}; reduce it to less than that and more than 0.00, or dismiss it."
    )


class UnknownLease(AgencyError):
    code, status = "agency.unknown_lease", 404
    message = "There is no such lease."


class LeaseNotThen(AgencyError):
    code, status = "agency.lease_not_then", 400
    message = (
        "Lease {lease} did not run on {day}, when {number} happened; it runs from {starts_on} to {ends_on}."
    )


class SameLease(AgencyError):
    code, status = "agency.same_lease", 400
    message = "{number} is charged on lease {lease} already."


class NoSuchToll(AgencyError):
    code, status = "agency.no_such_toll", 400
    message = "{number} is no toll that is charged to a driver now."


class CreditTooLarge(AgencyError):
    code, status = "agency.credit_too_large", 400
    message = "The credit is {credit}, and {number} is charged with {charged}; it cannot be more."


class NumberKnown(AgencyError):
    code, status = "agency.number_known", 409
    message = "{kind} {number} was entered or loaded before. Look at it, and decide about that one."
