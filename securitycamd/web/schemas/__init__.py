"""What the API says and takes, one file a noun."""
