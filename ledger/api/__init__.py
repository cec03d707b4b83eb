"""The ledger over HTTP: parse, check the permission, call one selector or service, answer."""
