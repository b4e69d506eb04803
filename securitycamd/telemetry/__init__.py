"""What the daemon says of itself: the log pipeline, and words to systemd."""
