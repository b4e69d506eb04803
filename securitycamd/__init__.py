"""securitycamd: the central server for security cameras, one asyncio process."""

__version__ = "0.1.0"
