"""Everything that writes the ledger. One module per noun; see `ledger/README.md` for which to use."""
