"""Everything that reads the ledger for people: lists, balances, aging, proofs. Nothing here writes."""
