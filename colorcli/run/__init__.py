"""Running the stages over many photos: the local engine, the ledger of finished work, the report."""
