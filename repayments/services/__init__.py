"""Every change of what is paid back by the week. Each is decided first, as a `Change` that can be looked at, and
then carried out in one transaction: `decisions` knows the rules, `schedules` writes.
"""
