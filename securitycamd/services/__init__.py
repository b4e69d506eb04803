"""Use cases, one file a noun: they own transactions; everything above and below meets here."""
