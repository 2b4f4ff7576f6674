"""What callers have used: noted as answers end, and told at `GET /usage`. Imported only where the ledger is on."""
