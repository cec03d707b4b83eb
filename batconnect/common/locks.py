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
