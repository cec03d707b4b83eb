"""The advisory locks of the application, each with a number of its own; two alike would be one lock.

The calendar's is `ledger_calendar_lock()` in the database, 7305110221.
"""

WEEKLY_RUN = 7305110222  # one weekly run at a time; held by the session, from start to close
LEASE_SCHEDULE = 7305110223  # installments are made and posted, or what they rest on is changed
APPLICATION_ROLE = 7305110224  # rights of the database role are being set
FLEET_IMPORT = 7305110225  # one fleet file at a time
LEDGER_SEAL = 7305110226  # one block of the ledger is sealed at a time
JOURNAL_TEMPLATES = 7305110227  # one journal template or override comes into force at a time
WEEKLY_RUN_CHUNK = 7305110228  # shared by the chunks of a weekly run; the next run waits for them
REPAYMENTS = (
    7305110244  # shared: installments of repairs and loans are posted; alone: a schedule is decided upon
)

# Classes of locks by two numbers, which are apart from those above: the second number says of what.
BATCH_SHARD = 7305110  # a shard of a bulk run is worked on
BATCH_RUN = 7305111  # a step of a bulk run that takes it as a whole
BATCH_INDEX = 7305120  # and 1 to 3: a part of its indexes is built
RECON_SOURCE = 7305130  # a source is reconciled, or decided upon
ARCHIVES = 7305110230  # shared: archives are read; alone: a month is dropped or restored
CURB_FETCH = 7305110246  # held by the session while trips are fetched, one window at a time
ROTATION = 7305110231  # one rotation of the partitions at a time
SETTLEMENTS = 7305110249  # card settlements are entered, whichever source tells of them
AGENCY_IMPORT = 7305110248  # tolls and tickets come in, by file or by hand
PAYOUT_FILE = 7305110252  # one ACH file is named at a time
PAYOUT_RETURNS = 7305110253  # one file of returns is taken in at a time
CHECKBOOK = 7305110254  # one run of check numbers is begun at a time
LEASE_CAPS = 7305110256  # one cap is written at a time
OPENING_BALANCES = 7305110255  # one file of opening balances is imported at a time
