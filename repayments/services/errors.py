"""What can be refused about a repayment, whichever kind it is of."""

from batconnect.common.errors import BatConnectError, ConflictingState


class UnknownRepayment(BatConnectError):
    code, status = "repayment.unknown", 404
    message = "There is no {kind} {number}."


class WrongStatus(ConflictingState):
    code = "repayment.status"
    message = "{number} is {status}, so it cannot be {what}."


class NothingScheduled(ConflictingState):
    code = "repayment.nothing_scheduled"
    message = "Nothing of {number} is scheduled any more, so it cannot be {what}."


class SomethingPosted(ConflictingState):
    code = "repayment.posted"
    message = "{number} has {count} posted; void that first, or let it be paid off."


class AmountOutOfRange(BatConnectError):
    code, status = "repayment.amount", 400
    message = "{amount} is out of range; enter {smallest} to {largest}."


class RateOutOfRange(BatConnectError):
    code, status = "repayment.rate", 400
    message = "{rate} per cent is out of range; interest is 0.00 to {highest} per cent a year."


class DatedAhead(BatConnectError):
    code, status = "repayment.future_date", 400
    message = "{date} is after {today}; it cannot be dated ahead of today."


class TooOld(BatConnectError):
    code, status = "repayment.too_old", 400
    message = "{date} is more than five years ago; look at the year again."


class NotASaturday(BatConnectError):
    code, status = "repayment.not_a_saturday", 400
    message = "{day} is a {weekday}; installments are due on Saturdays. Did you mean {saturday}?"


class DueTooEarly(BatConnectError):
    code, status = "repayment.due_too_early", 400
    message = (
        "{day} is too early; the first of these installments can be due on {earliest} or a later Saturday."
    )


class DueTooLate(BatConnectError):
    code, status = "repayment.due_too_late", 400
    message = "{day} is more than a year ahead; choose a Saturday up to {latest}."


class WeeklyOutOfRange(BatConnectError):
    code, status = "repayment.weekly", 400
    message = "{weekly} a week is out of range; of {remaining} choose {smallest} to {remaining} a week."


class NothingChanged(BatConnectError):
    code, status = "repayment.nothing_changed", 400
    message = (
        "That is how {number} is scheduled already; give another weekly amount or another first Saturday."
    )


class WeeksOutOfRange(BatConnectError):
    code, status = "repayment.weeks", 400
    message = "{weeks} weeks are out of range; shift {number} by {least} to {most} whole weeks."


class NotVoided(ConflictingState):
    code = "repayment.not_voided"
    message = "{reference_id} is not voided, so it is not posted again."


class NoLongerOwed(ConflictingState):
    code = "repayment.no_longer_owed"
    message = (
        "{reference_id} is owed no more: {number} was cancelled or forgiven since. Nothing is posted again."
    )


class InstallmentsChanged(ConflictingState):
    code = "repayment.installments_changed"
    message = "{missing} of {count} installments were changed or posted by somebody else; try again."


class UnknownLease(BatConnectError):
    code, status = "repayment.lease", 404
    message = "That driver has no such lease."
